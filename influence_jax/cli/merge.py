"""``influence-jax merge``: join the shards of a sweep into one sweep."""

import dataclasses
import pathlib
from typing import Annotated

import tyro

from influence_jax.cli.options import check, parse


@dataclasses.dataclass(frozen=True, kw_only=True)
class MergeOptions:
    """Join the finished shards of a sweep into a new directory, as if one process had trained the whole sweep.

    The shards are copied and stay where they are.
    """

    directories: tyro.conf.Positional[tuple[pathlib.Path, ...]]
    """Directories of all shards, in any order."""
    out: pathlib.Path
    """Directory to write the whole sweep to."""
    trust: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Import code outside the package that the sweep names."""
    quiet: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print nothing."""


def main(arguments: list[str]) -> int:
    """Merge the shards and print the best settings."""
    options = parse(MergeOptions, arguments, "influence-jax merge")
    check(options)
    from influence_jax.cli.sweep import show_results, write_results
    from influence_jax.sweeps.merge import merge

    found = merge(options.directories, out=options.out, trust=options.trust)
    write_results(found, options.out)
    if not options.quiet:
        show_results(found, options.out)
    return 0
