"""``influence-jax moments``: save the strongest moments of influence of an episode as images."""

import dataclasses
from collections.abc import Sequence
from typing import Annotated

from PIL import Image

from influence_jax.cli.episode import EpisodeOptions, played
from influence_jax.cli.options import check, parse, whole
from influence_jax.cli.output import check_out, save


@dataclasses.dataclass(frozen=True, kw_only=True)
class MomentsOptions(EpisodeOptions):
    """Save the strongest moments of influence of one episode as an image, .png, each beside the world without it."""

    count: Annotated[int, *whole(1, 100, "Number of moments, the strongest first.")] = 4


def main(arguments: list[str]) -> int:
    """Write moments of an episode of a run, one below the other."""
    options = parse(MomentsOptions, arguments, "influence-jax moments")
    check(options)
    check_out(options.out, (".png",))
    _, trace = played(options)
    moments = trace.moments(options.count)
    save(stacked([moment.image() for moment in moments]), options.out)
    for moment in moments:
        print(moment)
    print(options.out)
    return 0


def stacked(images: Sequence[Image.Image]) -> Image.Image:
    """Return images of any widths one below the other."""
    whole = Image.new("RGB", (max(x.width for x in images), sum(x.height for x in images)), "white")
    down = 0
    for image in images:
        whole.paste(image, (0, down))
        down += image.height
    return whole
