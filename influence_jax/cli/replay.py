"""``influence-jax replay``: save one episode of the trained agents as a page to step through in a browser."""

import dataclasses

from influence_jax.cli.episode import EpisodeOptions, played
from influence_jax.cli.options import check, parse
from influence_jax.cli.output import check_out, save


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReplayOptions(EpisodeOptions):
    """Play one episode with the trained agents and save it as a page, .html, to step through in a browser.

    It shows the map, the influence of each agent on each other, policies, and how agents would have answered other actions.
    """


def main(arguments: list[str]) -> int:
    """Write the page of an episode of a run."""
    options = parse(ReplayOptions, arguments, "influence-jax replay")
    check(options)
    check_out(options.out, (".html",))
    trained, trace = played(options)
    title = f"{options.directory.resolve().name}, member {options.member}, seed {options.seed}"
    save(trace.page(title), options.out)
    print(f"one episode after {trained.update:,} updates: {options.out}")
    return 0
