"""Sequential social dilemmas and social influence as intrinsic motivation, end to end on an accelerator.

The way in: ``presets.get`` gives an experiment, `train` runs it (with a `Progress` to watch, and with `grid` for many settings
in one program), `evaluate` says what was learned, `intervene` checks models of others against the truth, `load` reads a run back,
`compare` and ``plot_...`` make tables and figures of runs (`influence_jax.analysis` has the rest).
`Run.trace` shows an episode in full (its film, its table, its strongest moments of influence), `Run.policy` what agents would do
at any state, and `play` seats agents of several runs at one game. `make_learner` gives the parts of an experiment, each of which
may be replaced by one of your own. `make` gives an environment alone, for programs of your own, to be compiled with
`compiler_options`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from influence_jax import analysis, presets
    from influence_jax.analysis.comparison import compare
    from influence_jax.analysis.figures import (
        plot_comparison,
        plot_event_locked,
        plot_influence,
        plot_influence_in_time,
        plot_learning_curves,
        plot_schelling,
    )
    from influence_jax.config import EnvConfig, ExperimentConfig
    from influence_jax.envs import make, register
    from influence_jax.envs.render import Film
    from influence_jax.evaluation.episodes import Evaluation, evaluate
    from influence_jax.evaluation.intervention import Interventions, intervene
    from influence_jax.evaluation.moment import Moment
    from influence_jax.evaluation.play import play
    from influence_jax.evaluation.policy import Policy
    from influence_jax.evaluation.trace import Trace
    from influence_jax.learner.learner import Learner, make_learner
    from influence_jax.runtime.compilation import compiler_options, keep_compiled_programs
    from influence_jax.runtime.loop import LogPoint
    from influence_jax.runtime.population import grid
    from influence_jax.runtime.progress import Progress
    from influence_jax.runtime.run import Run, train
    from influence_jax.settings import ConfigError
    from influence_jax.sweeps.merge import merge
    from influence_jax.sweeps.sweep import Sweep, load, sweep

__version__ = "0.2.0.dev0"

_MODULES = ("analysis", "presets")
_HOMES = {
    "ConfigError": "settings",
    "EnvConfig": "config",
    "Evaluation": "evaluation.episodes",
    "ExperimentConfig": "config",
    "Film": "envs.render",
    "Interventions": "evaluation.intervention",
    "Learner": "learner.learner",
    "LogPoint": "runtime.loop",
    "Moment": "evaluation.moment",
    "Policy": "evaluation.policy",
    "Progress": "runtime.progress",
    "Run": "runtime.run",
    "Sweep": "sweeps.sweep",
    "Trace": "evaluation.trace",
    "compare": "analysis.comparison",
    "compiler_options": "runtime.compilation",
    "evaluate": "evaluation.episodes",
    "grid": "runtime.population",
    "intervene": "evaluation.intervention",
    "keep_compiled_programs": "runtime.compilation",
    "load": "sweeps.sweep",
    "make": "envs",
    "make_learner": "learner.learner",
    "merge": "sweeps.merge",
    "play": "evaluation.play",
    "plot_comparison": "analysis.figures",
    "plot_event_locked": "analysis.figures",
    "plot_influence": "analysis.figures",
    "plot_influence_in_time": "analysis.figures",
    "plot_learning_curves": "analysis.figures",
    "plot_schelling": "analysis.figures",
    "register": "envs",
    "search": "sweeps.adaptive",
    "sweep": "sweeps.sweep",
    "train": "runtime.run",
}

__all__ = [
    "ConfigError",
    "EnvConfig",
    "Evaluation",
    "ExperimentConfig",
    "Film",
    "Interventions",
    "Learner",
    "LogPoint",
    "Moment",
    "Policy",
    "Progress",
    "Run",
    "Sweep",
    "Trace",
    "analysis",
    "compare",
    "compiler_options",
    "evaluate",
    "grid",
    "intervene",
    "keep_compiled_programs",
    "load",
    "make",
    "make_learner",
    "merge",
    "play",
    "plot_comparison",
    "plot_event_locked",
    "plot_influence",
    "plot_influence_in_time",
    "plot_learning_curves",
    "plot_schelling",
    "presets",
    "register",
    "search",
    "sweep",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for; all at once would take seconds, which the command line should not wait for."""
    if name in _MODULES:
        return importlib.import_module(f"influence_jax.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'influence_jax' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"influence_jax.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
