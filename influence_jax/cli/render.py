"""``influence-jax render``: save one episode of the trained agents as a video."""

import dataclasses
from typing import Annotated

from influence_jax.cli.episode import EpisodeOptions, played
from influence_jax.cli.options import check, parse, whole
from influence_jax.cli.output import check_out, save
from influence_jax.envs.grid.render import SUFFIXES
from influence_jax.settings import INT32_MAX


@dataclasses.dataclass(frozen=True, kw_only=True)
class RenderOptions(EpisodeOptions):
    """Play one episode with the trained agents and save it as a video, .gif or .mp4."""

    fps: Annotated[int, *whole(1, 1000, "Steps per second of video.")] = 15
    start: Annotated[int, *whole(-INT32_MAX, INT32_MAX, "First step shown; a negative one counts from the end.")] = 0
    stop: Annotated[
        int | None,
        *whole(-INT32_MAX, INT32_MAX, "Step before which the video ends; default: after the last.", optional=True),
    ] = None
    views: tuple[int, ...] = ()
    """Agents whose windows are outlined."""
    scale: Annotated[
        int | None, *whole(4, 256, "Pixels per cell; default: some 720 for the longer side of the map.", optional=True)
    ] = None


def main(arguments: list[str]) -> int:
    """Render an episode of a run."""
    options = parse(RenderOptions, arguments, "influence-jax render")
    check(options)
    check_out(options.out, SUFFIXES)
    trained, trace = played(options)
    video = trace.video(
        fps=options.fps, start=options.start, stop=options.stop, views=options.views, scale=options.scale
    )
    save(video, options.out)
    print(f"one episode after {trained.update:,} updates: {options.out}")
    return 0
