"""Numbers and figures from recorded runs and episodes, on the host. ``docs/analysis.md`` describes every measure."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from influence_jax.analysis.communication import (
        coordination_in_moments,
        instantaneous_coordination,
        mutual_information,
        selection_null,
        speaker_consistency,
        value_of_messages,
    )
    from influence_jax.analysis.comparison import Comparison, compare
    from influence_jax.analysis.correlation import influence_and_reward
    from influence_jax.analysis.cross_play import CrossPlay
    from influence_jax.analysis.curves import learning_curve, seeds_in_which_all_eat, smoothed, summary, top_settings
    from influence_jax.analysis.figures import (
        plot_comparison,
        plot_cross_play,
        plot_event_locked,
        plot_influence,
        plot_influence_in_time,
        plot_learning_curves,
        plot_schelling,
    )
    from influence_jax.analysis.influence import (
        event_locked,
        influence_by_action,
        influence_statistics,
        influential_moments,
        strongest_moments,
    )
    from influence_jax.analysis.load import load_metrics
    from influence_jax.analysis.schelling import Schelling, schelling_diagram
    from influence_jax.analysis.social import (
        efficiency,
        equality,
        equality_by_luck,
        gini,
        peace,
        sustainability,
        weighted_return,
    )
    from influence_jax.analysis.statistics import (
        hedges_g,
        holm,
        iqm,
        iqm_interval,
        permutation_test,
        probability_of_improvement,
        t_interval,
        welch_interval,
        wilson_interval,
    )
    from influence_jax.analysis.tables import final_rows, run_table

_HOMES = {
    "Comparison": "comparison",
    "CrossPlay": "cross_play",
    "Schelling": "schelling",
    "compare": "comparison",
    "coordination_in_moments": "communication",
    "efficiency": "social",
    "equality": "social",
    "equality_by_luck": "social",
    "event_locked": "influence",
    "final_rows": "tables",
    "gini": "social",
    "hedges_g": "statistics",
    "holm": "statistics",
    "influence_and_reward": "correlation",
    "influence_by_action": "influence",
    "influence_statistics": "influence",
    "influential_moments": "influence",
    "instantaneous_coordination": "communication",
    "iqm": "statistics",
    "iqm_interval": "statistics",
    "learning_curve": "curves",
    "load_metrics": "load",
    "mutual_information": "communication",
    "peace": "social",
    "permutation_test": "statistics",
    "plot_comparison": "figures",
    "plot_cross_play": "figures",
    "plot_event_locked": "figures",
    "plot_influence": "figures",
    "plot_influence_in_time": "figures",
    "plot_learning_curves": "figures",
    "plot_schelling": "figures",
    "probability_of_improvement": "statistics",
    "run_table": "tables",
    "schelling_diagram": "schelling",
    "seeds_in_which_all_eat": "curves",
    "selection_null": "communication",
    "smoothed": "curves",
    "speaker_consistency": "communication",
    "strongest_moments": "influence",
    "summary": "curves",
    "sustainability": "social",
    "t_interval": "statistics",
    "top_settings": "curves",
    "value_of_messages": "communication",
    "weighted_return": "social",
    "welch_interval": "statistics",
    "wilson_interval": "statistics",
}


def __getattr__(name: str) -> Any:
    """Import a name on first use, so that training does not wait for scipy and matplotlib."""
    if name not in _HOMES:
        raise AttributeError(f"module 'influence_jax.analysis' has no attribute {name!r}")
    return getattr(importlib.import_module(f"influence_jax.analysis.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})


__all__ = [
    "Comparison",
    "CrossPlay",
    "Schelling",
    "compare",
    "coordination_in_moments",
    "efficiency",
    "equality",
    "equality_by_luck",
    "event_locked",
    "final_rows",
    "gini",
    "hedges_g",
    "holm",
    "influence_and_reward",
    "influence_by_action",
    "influence_statistics",
    "influential_moments",
    "instantaneous_coordination",
    "iqm",
    "iqm_interval",
    "learning_curve",
    "load_metrics",
    "mutual_information",
    "peace",
    "permutation_test",
    "plot_comparison",
    "plot_cross_play",
    "plot_event_locked",
    "plot_influence",
    "plot_influence_in_time",
    "plot_learning_curves",
    "plot_schelling",
    "probability_of_improvement",
    "run_table",
    "schelling_diagram",
    "seeds_in_which_all_eat",
    "selection_null",
    "smoothed",
    "speaker_consistency",
    "strongest_moments",
    "summary",
    "sustainability",
    "t_interval",
    "top_settings",
    "value_of_messages",
    "weighted_return",
    "welch_interval",
    "wilson_interval",
]
