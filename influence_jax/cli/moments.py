"""``influence-jax moments``: save the strongest moments of influence of an episode as images."""

import dataclasses
from typing import Annotated

import numpy as np
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
    save(Image.fromarray(np.concatenate([np.asarray(moment.image()) for moment in moments])), options.out)
    for moment in moments:
        print(moment)
    print(options.out)
    return 0
