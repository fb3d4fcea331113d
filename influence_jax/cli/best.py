"""``influence-jax best``: print the best settings of a sweep."""

import dataclasses
import json
import pathlib
from typing import Annotated

import tyro

from influence_jax.cli.options import check, parse, whole
from influence_jax.settings import ConfigError


@dataclasses.dataclass(frozen=True)
class BestOptions:
    """Print the settings of the best trials of a sweep, ranked by the mean over their seeds at the end of the run.

    The best of many settings are partly lucky. Train them again on new seeds before you report them.
    """

    directory: tyro.conf.Positional[pathlib.Path]
    """Directory of a sweep."""
    count: Annotated[int, *whole(1, 10**6, "Number of trials to print.")] = 5
    metric: str = "collective_return"
    """Metric to rank by; higher is better."""
    space: pathlib.Path | None = None
    """File to write these settings to, for `influence-jax sweep --space FILE`."""
    trust: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Import code outside the package that the sweep names."""
    json: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print one line of JSON instead of a table."""


def main(arguments: list[str]) -> int:
    """Print the best settings."""
    options = parse(BestOptions, arguments, "influence-jax best")
    check(options)
    from influence_jax.cli.sweep import show_best
    from influence_jax.runtime.files import write_json
    from influence_jax.sweeps.results import Sweep, load

    found = load(options.directory, trust=options.trust)
    if not isinstance(found, Sweep):
        raise ConfigError(f"{str(options.directory)!r} holds a run; allowed: the directory of a sweep.")
    if not found.recorded:
        raise ConfigError(
            f"{str(options.directory)!r} holds a sweep without results yet; allowed: a sweep with results."
        )
    rows = found.best(options.count, options.metric)
    if options.space is not None:
        settings = found.space.settings()
        try:
            if options.space.exists():
                raise FileExistsError("it exists")
            write_json(options.space, {"listed": [settings[row["trial"]] for row in rows]})
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"space {str(options.space)!r} cannot be written: {error}; allowed: a new file."
            ) from None
    if options.json:
        print(json.dumps([{name: None if x != x else x for name, x in row.items()} for row in rows]))  # JSON has no NaN
    else:
        show_best(rows)
    return 0
