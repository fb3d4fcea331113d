"""``influence-jax report``: write a page on runs."""

import dataclasses
import pathlib

from influence_jax.cli.groups import GroupOptions
from influence_jax.cli.options import check, parse
from influence_jax.cli.output import check_out, save


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportOptions(GroupOptions):
    """Write a page on runs: a table and learning curves with intervals, settings, machines, and how to run them again."""

    out: pathlib.Path
    """File to write, .html."""


def main(arguments: list[str]) -> int:
    """Write a report."""
    options = parse(ReportOptions, arguments, "influence-jax report")
    check(options)
    check_out(options.out, (".html",))
    from influence_jax.analysis.reporting import report

    save(report(options.runs, by=options.by or None), options.out)
    print(options.out)
    return 0
