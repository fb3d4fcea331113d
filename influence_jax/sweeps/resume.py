"""Continuing a run, a sweep or a search in a directory."""

import dataclasses
import pathlib
from collections.abc import Callable

from influence_jax.config import ConfigError
from influence_jax.learner.learner import Learner
from influence_jax.runtime import directory
from influence_jax.runtime import run as runs
from influence_jax.runtime.devices import ALL_DEVICES, Devices
from influence_jax.runtime.loop import LogPoint
from influence_jax.runtime.run import Execution, Run
from influence_jax.settings import whole_number
from influence_jax.sweeps.adaptive import search
from influence_jax.sweeps.files import read_about, trusted
from influence_jax.sweeps.results import Sweep
from influence_jax.sweeps.sweep import run_sweep


def resume(
    out: str | pathlib.Path,
    *,
    total_steps: float | None = None,
    learner: Learner | None = None,
    trust: bool = False,
    devices: Devices = ALL_DEVICES,
    callback: Callable[[LogPoint], None] | None = None,
) -> Run | Sweep:
    """Continue the run, sweep or search in a directory, exactly as if it had not stopped.

    Args:
        out: the directory.
        total_steps: new length in environment steps per member; see `influence_jax.runtime.run.resume`.
        learner: the learner of a run with parts of your own.
        trust: whether to import code from outside this package that it names.
        devices: placement of members on devices, which may differ from before.
        callback: called after each log point.

    Raises:
        ConfigError: there is nothing to continue, it is already longer, or it needs code that is not trusted.

    Example:
        >>> run = influence_jax.resume("runs/harvest-moa", total_steps=2 * config.total_steps)
    """
    path = directory.checked_path(out)
    if not (path / "sweep.json").exists():
        return runs.resume(
            path, total_steps=total_steps, learner=learner, trust=trust, devices=devices, callback=callback
        )
    how = Execution(resume=True, trust=trust, devices=devices, callback=callback)
    if learner is not None:
        raise ConfigError(
            f"learner is a {type(learner).__name__} for {str(path)!r}, which holds a sweep; allowed: None."
        )
    about = read_about(path)
    config, space, _ = trusted(path, about, how.trust)
    if total_steps is not None:
        config = dataclasses.replace(config, total_steps=whole_number(total_steps))
    if "search" in about:
        return search(config, **about["search"], out=path, resume=True, devices=devices, callback=callback)
    return run_sweep(config, space, about.get("shard"), path, how)
