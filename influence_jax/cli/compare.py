"""``influence-jax compare``: print how runs, or the settings in them, compare."""

import dataclasses
from typing import Annotated

from influence_jax.cli.groups import GroupOptions
from influence_jax.cli.options import check, parse, whole
from influence_jax.settings import INT32_MAX


@dataclasses.dataclass(frozen=True, kw_only=True)
class CompareOptions(GroupOptions):
    """Compare each group of members with the first: intervals, a permutation test and effect sizes over seeds."""

    metric: str = "collective_return"
    """Metric to compare."""
    summarise: str = "final"
    """What a member's curve comes to: final, final_steps, auc or best."""
    window: Annotated[int, *whole(1, INT32_MAX, "Log points over which curves are smoothed.")] = 1


def main(arguments: list[str]) -> int:
    """Print a comparison."""
    options = parse(CompareOptions, arguments, "influence-jax compare")
    check(options)
    from influence_jax.analysis.comparison import compare

    print(
        compare(options.runs, options.metric, by=options.by or None, summarise=options.summarise, window=options.window)
    )
    return 0
