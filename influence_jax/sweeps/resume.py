"""Go on with what a directory of trials holds, a sweep or a search."""

import dataclasses
import pathlib
from collections.abc import Callable

from influence_jax.runtime import directory
from influence_jax.runtime.devices import ALL_DEVICES, Devices
from influence_jax.runtime.loop import LogPoint
from influence_jax.settings import whole_number
from influence_jax.sweeps.adaptive import search
from influence_jax.sweeps.sweep import Sweep, read_about, run_sweep, trusted


def resume(
    out: str | pathlib.Path,
    *,
    total_steps: float | None = None,
    trust: bool = False,
    devices: Devices = ALL_DEVICES,
    callback: Callable[[LogPoint], None] | None = None,
) -> Sweep:
    """Go on with the sweep or the search in a directory, as it was begun; see `influence_jax.runtime.run.resume`.

    Raises:
        ConfigError: there is none, or it needs code that is not trusted.
    """
    path = directory.checked_path(out)
    about = read_about(path)
    config, space, _ = trusted(path, about, trust)
    if total_steps is not None:
        config = dataclasses.replace(config, total_steps=whole_number(total_steps))
    if "search" in about:
        return search(config, **about["search"], out=path, resume=True, devices=devices, callback=callback)
    return run_sweep(path, space, config, about.get("shard"), True, devices, callback)
