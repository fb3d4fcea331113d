"""``influence-jax resume``: continue a run or a sweep that was stopped."""

import dataclasses
import pathlib
from typing import Annotated, Any

import tyro

from influence_jax.cli import sweep, train
from influence_jax.cli.devices import DeviceOptions, chosen, connect
from influence_jax.cli.options import check, parse, whole
from influence_jax.runtime.compilation import keep_compiled_programs
from influence_jax.sweeps.results import Sweep
from influence_jax.sweeps.resume import resume


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResumeOptions(DeviceOptions):
    """Continue a run or a sweep, exactly as if it had not stopped."""

    directory: tyro.conf.Positional[pathlib.Path]
    """Directory of a run or a sweep."""
    total_steps: Annotated[
        int | None,
        *whole(
            1,
            10**15,
            "New total of environment steps per member, to make the run longer. From here on, schedules refer to the new length.",
            optional=True,
        ),
    ] = None
    trust: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Import code outside the package that the run names."""
    quiet: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Do not show progress."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """End with one line of JSON."""


def main(arguments: list[str]) -> int:
    """Continue a run or a sweep."""
    options: Any = parse(ResumeOptions, arguments, "influence-jax resume")
    check(options)
    connect(options)
    keep_compiled_programs()
    with train.progress(options.quiet or options.json) as callback:
        result = resume(
            options.directory,
            total_steps=options.total_steps,
            trust=options.trust,
            devices=chosen(options),
            callback=callback,
        )
    if isinstance(result, Sweep):
        return sweep.finish(result, options)
    if options.total_steps is not None and not options.json:
        print(f"From this part of the run on, schedules refer to {result.config.total_steps:,} steps (run.json).")
    return train.print_outcome(result, options.directory, options.json)
