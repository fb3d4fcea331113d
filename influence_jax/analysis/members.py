"""Whose numbers: runs, or what they recorded, as named groups of members."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from influence_jax.settings import ConfigError, nearest

Metrics = Mapping[str, np.ndarray]  # [U,S], or [U,S,N] for what each agent has


def name_of(run: Any) -> str:
    """Return what a run is called: its game and how its agents influence, ``harvest-moa``."""
    config = run.config
    model = {"independent": "a3c"}.get(config.influence.model, config.influence.model)
    shaper = "" if config.learner.shaper == "individual" else f"-{config.learner.shaper}"
    return f"{config.env.name}-{model}{shaper}".replace("_", "-")


def groups(runs: Any, by: str | Sequence[str] | None = None) -> dict[str, Metrics]:
    """Return metrics by name.

    Args:
        runs: a run or its metrics, several of them in a sequence, or by names of your own in a mapping.
        by: a setting or several; the members of each run that have them alike become a group of their own.

    Raises:
        ConfigError: there is nothing, or the setting is unknown.
    """
    named = _named(runs)
    if not named:
        raise ConfigError("runs is empty; allowed: a run, its metrics, or several of them.")
    if by is None:
        return {name: getattr(run, "metrics", run) for name, run in named.items()}
    by, found = [by] if isinstance(by, str) else list(by), {}
    for name, run in named.items():
        settings = list(zip(*(_setting(run, setting) for setting in by), strict=True))
        for values in dict.fromkeys(settings):
            chosen = np.array([setting == values for setting in settings])
            group = ", ".join(f"{setting} {_short(value)}" for setting, value in zip(by, values, strict=True))
            label = group if len(named) == 1 else f"{name}, {group}"
            found[label] = {column: x[:, chosen] for column, x in run.metrics.items()}
    return found


def _named(runs: Any) -> dict[str, Any]:
    if isinstance(runs, Mapping) and not _is_metrics(runs):
        return dict(runs)
    several = list(runs) if isinstance(runs, Sequence) else [runs]
    named: dict[str, Any] = {}
    for number, run in enumerate(several):
        name = name_of(run) if hasattr(run, "config") else f"run {number}"
        same = sum(other == name or other.startswith(f"{name} (") for other in named)
        named[f"{name} ({same + 1})" if same else name] = run
    return named


def _is_metrics(runs: Mapping) -> bool:
    return all(isinstance(value, np.ndarray) for value in runs.values())


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float | int) else str(value)


def _setting(run: Any, by: str) -> list[Any]:
    """Return the setting of every member: its own, or the run's."""
    if not hasattr(run, "members"):
        raise ConfigError(f"by is {by!r} with metrics alone; allowed are runs, which know their members' settings.")
    hyperparams = run.config.hyperparams
    own, known = run.members[0], sorted({*run.members[0], *vars(hyperparams)} - {"member"})
    if by not in known:
        raise ConfigError(f"by is {by!r}; allowed: {', '.join(known)}.{nearest(by, known)}")
    values = [member[by] if by in own else getattr(hyperparams, by) for member in run.members]
    return [tuple(value) if isinstance(value, list) else value for value in values]
