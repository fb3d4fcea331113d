"""``influence-jax plot``: draw learning curves."""

import dataclasses
import pathlib
from typing import Annotated

from influence_jax.cli.groups import GroupOptions
from influence_jax.cli.options import check, parse, whole
from influence_jax.cli.output import FIGURES, check_out, save
from influence_jax.settings import INT32_MAX


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlotOptions(GroupOptions):
    """Draw learning curves: the mean with each seed if there are fewer than eight, and with intervals if there are more."""

    out: pathlib.Path
    """File to write, .png, .svg or .pdf."""
    metrics: tuple[str, ...] = ()
    """Metrics to draw; default: return, equality, events, entropy, influence and the loss of models of others."""
    window: Annotated[int, *whole(1, INT32_MAX, "Log points over which curves are smoothed.")] = 1


def main(arguments: list[str]) -> int:
    """Write a figure."""
    options = parse(PlotOptions, arguments, "influence-jax plot")
    check(options)
    check_out(options.out, FIGURES)
    from influence_jax.analysis.figures import plot_learning_curves

    save(
        plot_learning_curves(options.runs, options.metrics or None, by=options.by or None, window=options.window),
        options.out,
    )
    print(options.out)
    return 0
