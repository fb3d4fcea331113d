"""Pictures and films of episodes, on the host."""

import pathlib
import subprocess
from collections.abc import Sequence

import imageio.v3 as imageio
import numpy as np

from influence_jax.envs.grid import vision

SUFFIXES = (".gif", ".mp4")


def render_map(
    codes: np.ndarray, beams: np.ndarray, position: np.ndarray, heading: np.ndarray, scale: int
) -> np.ndarray:
    """Return u8[scale H, scale W, 3]: a map with its agents and beams.

    A beam tints the cells it crosses. An agent is a tile in its own colour with a notch at the side it heads for; the
    notch is black for agents 0 to 9 and white for those that reuse their colours.

    Args:
        codes: u8[H,W], codes of `vision`.
        beams: u8[H,W], as from `beams.trace`.
        position: i32[N,2], (row, column).
        heading: i32[N], clockwise quarter turns from up.
        scale: pixels per cell.
    """
    codes, beams = np.asarray(codes), np.asarray(beams)
    picture = vision.PALETTE[codes]
    lit = beams > 0
    picture[lit] = (picture[lit].astype(int) + vision.PALETTE[vision.FIRE - 1 + beams[lit]]) // 2
    picture = picture.repeat(scale, axis=0).repeat(scale, axis=1)
    for agent, ((row, column), quarter_turns) in enumerate(zip(np.asarray(position), np.asarray(heading), strict=True)):
        rows, columns = slice(row * scale, (row + 1) * scale), slice(column * scale, (column + 1) * scale)
        picture[rows, columns] = np.rot90(_agent_tile(agent, scale), -int(quarter_turns))
    return picture


def _agent_tile(agent: int, scale: int) -> np.ndarray:
    """Return u8[scale,scale,3]: one agent, heading up."""
    tile = np.empty((scale, scale, 3), np.uint8)
    tile[:] = vision.PALETTE[vision.AGENT + agent % vision.NUM_COLOURS]
    notch = max(1, scale // 4)
    tile[:notch, scale // 2 - notch // 2 : scale // 2 - notch // 2 + notch] = 0 if agent < vision.NUM_COLOURS else 255
    return tile


def save_animation(frames: Sequence[np.ndarray], path: str | pathlib.Path, fps: float = 10) -> None:
    """Write ``frames``, each u8[height,width,3], as a film of ``fps`` frames per second.

    Raises:
        ValueError: the suffix of ``path`` is neither ``.gif`` nor ``.mp4``, or there are no frames.
        ModuleNotFoundError: a film in mp4 is asked for without the package imageio-ffmpeg.
    """
    path = pathlib.Path(path)
    if path.suffix not in SUFFIXES:
        allowed = ", ".join(map(repr, SUFFIXES))
        raise ValueError(f"the suffix of {path.name!r} is {path.suffix!r}; allowed are {allowed}.")
    if len(frames) == 0:
        raise ValueError("there are no frames to save; give at least one.")
    if path.suffix == ".gif":
        imageio.imwrite(path, np.stack(frames), duration=1000 / fps, loop=0)
    else:
        _write_mp4(np.stack(frames), path, fps)


def _write_mp4(frames: np.ndarray, path: pathlib.Path, fps: float) -> None:
    """Pipe the frames through ffmpeg; not by imageio, whose way to start it forks a process in which JAX has threads."""
    try:
        import imageio_ffmpeg
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{path.name!r} needs the package imageio-ffmpeg; '.gif' always works.") from error
    height, width = frames.shape[1:3]
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps), "-i", "-"]
    target = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p", str(path)]  # the codec wants even sides
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", *source, *target]
    subprocess.run(command, input=frames.tobytes(), check=True)
