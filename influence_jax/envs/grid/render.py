"""Images and videos of games for people, drawn on the host: sprites are drawn once per size and then copied.

Colours are from Okabe and Ito's palette for colour-blind people. Every kind of object also has its own shape and lightness, so
images can be read in grey.
"""

import base64
import dataclasses
import functools
import io
import math
import pathlib
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from influence_jax.envs.grid import vision
from influence_jax.settings import ConfigError, Numbers, checked, file_path

SUFFIXES = (".gif", ".mp4")
STRIP = 1200  # maximum width in pixels of a video's frames side by side
GIF_FPS = 50  # maximum frames per second
AGENT_COLOURS = (
    "#0072b2",
    "#e69f00",
    "#cc79a7",
    "#d55e00",
    "#56b4e9",
    "#f0e442",
    "#8c6bb1",
    "#7f7f7f",
    "#a6761d",
    "#c0d8e8",
)
FLOOR, WALL, WATER, STREAM, WASTE, APPLE = "#f5f2ea", "#454d5b", "#b3d9ef", "#cfe8f5", "#5f3a1c", "#2f9e5f"
INK, PAPER = "#20242b", "#ffffff"
SHARP = 4  # sprites are drawn this many times larger, then scaled down


Scene = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # codes, beams, position, heading


def render_maps(scenes: Iterable[Scene], scale: int, colours: np.ndarray = vision.PALETTE) -> Iterator[np.ndarray]:
    """Yield u8[scale H, scale W, 3] for every scene: a map with its agents and beams.

    An agent is a disc in its own colour, with its number and a nose that points in its heading. Fire beams are striped, cleaning
    beams dotted.

    Args:
        scenes: tuples of ``codes u8[H,W]`` of `vision`, ``beams u8[H,W]`` as from `beams.trace`, ``position i32[N,2]`` (row,
            column) and ``heading i32[N]``, clockwise quarter turns from up.
        scale: pixels per cell.
        colours: u8[C,3]; only those of codes that a game defines for itself are used.
    """
    tiles, before, ground = _tiles(scale, np.asarray(colours, np.uint8).tobytes()), None, None
    for codes, beams, position, heading in scenes:
        if before is None or ground is None:
            height, width = codes.shape
            ground = tiles[codes].swapaxes(1, 2).reshape(height * scale, width * scale, 3)
        else:
            for row, column in np.argwhere(codes != before):
                _cell(ground, row, column, scale)[:] = tiles[codes[row, column]]
        before, pixels = codes, ground.copy()
        for row, column in np.argwhere(beams):
            _put(pixels, _beam(int(beams[row, column]), scale), row, column, scale)
        for agent, ((row, column), quarter_turns) in enumerate(zip(position, heading, strict=True)):
            _put(pixels, _agent(agent, int(quarter_turns), scale), row, column, scale)
        yield pixels


def _cell(pixels: np.ndarray, row: int, column: int, scale: int) -> np.ndarray:
    return pixels[row * scale : (row + 1) * scale, column * scale : (column + 1) * scale]


def _put(pixels: np.ndarray, sprite: tuple[np.ndarray, np.ndarray], row: int, column: int, scale: int) -> None:
    """Blend a sprite ``(colour times opacity, transparency)`` over a cell."""
    colour, through = sprite
    cell = _cell(pixels, row, column, scale)
    cell[:] = colour + (cell * through >> 8).astype(np.uint8)


@functools.lru_cache(maxsize=16)
def _tiles(scale: int, colours: bytes) -> np.ndarray:
    """Return u8[256,scale,scale,3]: the tile of each code."""
    palette = np.frombuffer(colours, np.uint8).reshape(-1, 3)
    tiles = np.zeros((256, scale, scale, 3), np.uint8)
    tiles[: len(palette)] = palette[:, None, None]
    drawn = {
        vision.EMPTY: _floor,
        vision.WALL: _wall,
        vision.APPLE: _apple,
        vision.WASTE: _waste,
        vision.RIVER: functools.partial(_water, colour=WATER),
        vision.STREAM: functools.partial(_water, colour=STREAM),
        vision.DOOR: _door,
    }
    for code, draw in drawn.items():
        tiles[code] = np.asarray(_small(draw(scale * SHARP), scale).convert("RGB"))
    return tiles


def _small(image: Image.Image, scale: int) -> Image.Image:
    return image.resize((scale, scale), Image.Resampling.LANCZOS)


def _blank(size: int, colour: str | None = None) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGBA", (size, size), colour or (0, 0, 0, 0))
    return image, ImageDraw.Draw(image)


def _floor(size: int) -> Image.Image:
    image, draw = _blank(size, FLOOR)
    draw.rectangle((0, 0, size - 1, size - 1), outline="#e9e4d8", width=max(1, size // 32))
    return image


def _wall(size: int) -> Image.Image:
    image, draw = _blank(size, WALL)
    edge = max(1, size // 16)
    draw.rectangle((0, 0, size, edge), fill="#5b6577")
    draw.rectangle((0, size - edge, size, size), fill="#363d49")
    return image


def _water(size: int, colour: str) -> Image.Image:
    image, draw = _blank(size, colour)
    for row in (0.3, 0.75):
        box = (size * 0.15, size * row - size * 0.12, size * 0.85, size * row + size * 0.12)
        draw.arc(box, 200, 340, fill="#8fc3e2", width=max(1, size // 20))
    return image


def _waste(size: int) -> Image.Image:
    image, draw = _blank(size, "#a5835f")
    for x, y, radius in ((0.3, 0.32, 0.2), (0.68, 0.28, 0.15), (0.62, 0.68, 0.23), (0.24, 0.74, 0.14)):
        draw.ellipse([size * place for place in (x - radius, y - radius, x + radius, y + radius)], fill=WASTE)
    return image


def _apple(size: int) -> Image.Image:
    image = _floor(size)
    draw = ImageDraw.Draw(image)
    draw.ellipse([size * x for x in (0.2, 0.27, 0.8, 0.85)], fill=APPLE, outline="#1d6b3e", width=max(1, size // 20))
    draw.ellipse([size * x for x in (0.3, 0.37, 0.45, 0.5)], fill="#a6dfbd")
    draw.line([size * x for x in (0.5, 0.3, 0.58, 0.13)], fill="#5c3d1e", width=max(1, size // 14))
    return image


def _door(size: int) -> Image.Image:
    image, draw = _blank(size, "#a9713d")
    for line in range(5):
        draw.line((size * line / 4, 0, size * line / 4, size), fill=INK, width=max(1, size // 12))
    draw.ellipse([size * x for x in (0.36, 0.4, 0.64, 0.68)], fill="#f2c94c", outline=INK, width=max(1, size // 20))
    return image


def _layers(image: Image.Image, scale: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a sprite in the form that `_put` takes."""
    pixels = np.asarray(_small(image, scale), np.uint16)
    alpha = pixels[..., 3:]
    return (pixels[..., :3] * alpha // 255).astype(np.uint8), 255 - alpha


@functools.lru_cache(maxsize=64)
def _beam(kind: int, scale: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the sprite of a beam: 1 fire, 2 cleaning."""
    size = scale * SHARP
    image, draw = _blank(size, "#d55e0066" if kind == 1 else "#56b4e970")
    if kind == 1:
        for start in range(-4, 8, 2):
            draw.line((size * start / 4, size, size * (start + 4) / 4, 0), fill="#c1121f", width=size // 9)
    else:
        for x, y in ((0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75), (0.5, 0.5)):
            dot = [size * place for place in (x - 0.1, y - 0.1, x + 0.1, y + 0.1)]
            draw.ellipse(dot, fill="#ffffff", outline="#0072b2", width=size // 40)
    return _layers(image, scale)


@functools.lru_cache(maxsize=1024)
def _agent(agent: int, quarter_turns: int, scale: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the sprite of an agent: a disc with a nose that points in its heading, and its number upright."""
    size = scale * SHARP
    image, draw = _blank(size)
    colour, edge = agent_colour(agent), max(1, size // 16)
    draw.polygon([(size * x, size * y) for x, y in ((0.5, 0.0), (0.22, 0.3), (0.78, 0.3))], fill=INK)
    draw.ellipse([size * x for x in (0.07, 0.1, 0.93, 0.96)], fill=colour, outline=INK, width=edge)
    image = image.rotate(-90 * quarter_turns)
    if scale >= 10:
        text = str(agent)
        typeface = font(int(size * (0.6 if len(text) == 1 else 0.45)))
        ImageDraw.Draw(image).text((size / 2, size / 2), text, fill=ink_on(colour), font=typeface, anchor="mm")
    return _layers(image, scale)


def agent_colour(agent: int) -> str:
    """Return the colour of an agent in images; agents 10, 11, ... look like 0, 1, ..."""
    return AGENT_COLOURS[agent % len(AGENT_COLOURS)]


def ink_on(colour: str) -> str:
    """Return a colour of text that is legible on the given one."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 120 else PAPER


@functools.lru_cache(maxsize=64)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font of images in the given size in pixels."""
    return ImageFont.load_default(size)


def draw_views(pixels: np.ndarray, position: np.ndarray, radius: int, agents: Sequence[int], scale: int) -> np.ndarray:
    """Return the image with the window of each of ``agents`` outlined in its colour."""
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    width = max(2, scale // 8)
    for agent in agents:
        row, column = (int(x) for x in position[agent])
        left, top = (column - radius) * scale, (row - radius) * scale
        box = [left, top, left + (2 * radius + 1) * scale - 1, top + (2 * radius + 1) * scale - 1]
        box = [max(0, box[0]), max(0, box[1]), min(image.width - 1, box[2]), min(image.height - 1, box[3])]
        draw.rectangle(box, outline=INK, width=width + 2)
        draw.rectangle([box[0] + 1, box[1] + 1, box[2] - 1, box[3] - 1], outline=agent_colour(agent), width=width)
    return np.array(image)


def draw_arrows(pixels: np.ndarray, position: np.ndarray, strength: np.ndarray, scale: int) -> np.ndarray:
    """Return the image with an arrow from k to j, in the colour of k, for every ``strength f32[K,J]`` above 0.

    A strength of 1 or more is drawn at full width, smaller ones in proportion.
    """
    pairs = np.argwhere(strength > 0)
    if not len(pairs):
        return pixels
    image = Image.fromarray(pixels)
    for k, j in pairs:
        start, end = ((position[agent][::-1] + 0.5) * scale for agent in (k, j))
        _arrow(image, start, end, agent_colour(k), min(1.0, float(strength[k, j])), scale)
    return np.array(image)


def _arrow(image: Image.Image, start: np.ndarray, end: np.ndarray, colour: str, strength: float, scale: int) -> None:
    """Draw an arrow between the discs of two cells, slightly curved so that arrows in opposite directions do not overlap."""
    length = float(np.hypot(*(end - start)))
    if not length:  # in some games agents may share a cell
        return
    along = (end - start) / length
    across = np.array([-along[1], along[0]])
    start, end = (
        start + along * scale * 0.42 + across * scale * 0.12,
        end - along * scale * 0.45 + across * scale * 0.12,
    )
    half, head = scale * (0.05 + 0.1 * strength), scale * (0.3 + 0.2 * strength)
    head = min(head, float(np.hypot(*(end - start))))
    neck = end - along * head
    outline = [
        start + across * half, neck + across * half, neck + across * (half + head * 0.4), end,
        neck - across * (half + head * 0.4), neck - across * half, start - across * half,
    ]  # fmt: skip
    margin = 4
    corner = np.floor(np.min(outline, axis=0)).astype(int) - margin
    far = np.ceil(np.max(outline, axis=0)).astype(int) + margin
    sharp = 3
    patch = Image.new("RGBA", tuple((far - corner) * sharp))
    points = [tuple((point - corner) * sharp) for point in outline]
    draw = ImageDraw.Draw(patch)
    draw.polygon(points, fill=colour)
    draw.line([*points, points[0], points[1]], fill=PAPER, width=sharp * max(3, scale // 9), joint="curve")
    draw.polygon(points, fill=colour, outline=INK, width=sharp * max(1, scale // 24))
    patch = patch.resize(tuple(far - corner), Image.Resampling.BOX)
    image.paste(patch, tuple(corner), patch)


def with_header(pixels: np.ndarray, title: str, scores: Sequence[float] = ()) -> np.ndarray:
    """Return the image below a line of text: ``title`` on the left, and each agent's score next to its disc on the right."""
    width = pixels.shape[1]
    entries = [f"{score:g}" for score in scores]
    height = int(np.clip(width // 12, 24, 44))  # from the width only, so that all frames of a video have the same size
    size = height // 2
    while size > 6 and _header_width(title, entries, size) > width:
        size -= 1
    strip = Image.new("RGB", (width, height), PAPER)
    draw, typeface = ImageDraw.Draw(strip), font(size)
    draw.text((size // 2, height / 2), title, fill=INK, font=typeface, anchor="lm")
    right = width - size // 2
    for agent, entry in reversed(list(enumerate(entries))):
        draw.text((right, height / 2), entry, fill=INK, font=typeface, anchor="rm")
        right -= math.ceil(typeface.getlength(entry)) + size // 4 + (side := int(1.5 * size))
        colour, through = _agent(agent, 0, side)
        cell = np.full((side, side, 3), 255, np.uint16)
        strip.paste(Image.fromarray(colour + (cell * through >> 8).astype(np.uint8)), (right, (height - side) // 2))
        right -= size // 2
    return np.concatenate([np.asarray(strip), pixels])


def _header_width(title: str, entries: Sequence[str], size: int) -> int:
    typeface = font(size)
    parts = typeface.getlength(title) + sum(typeface.getlength(entry) + 2.25 * size for entry in entries)
    return math.ceil(parts + 1.5 * size)


@dataclasses.dataclass(frozen=True, eq=False)
class Video:
    """A sequence of frames ``u8[height,width,3]``, which a notebook plays.

    >>> run.trace(member=0, seed=1).video().save("episode.gif")
    """

    frames: tuple[np.ndarray, ...] = dataclasses.field(repr=False)
    fps: float

    def __post_init__(self) -> None:
        checked("fps", self.fps, Numbers(0.1, 1000))
        images = isinstance(self.frames, tuple | list) and all(isinstance(x, np.ndarray) for x in self.frames)
        shapes = {(x.dtype, x.shape) for x in self.frames} if images else set()
        if len(shapes) != 1 or any(kind != np.uint8 or len(shape) != 3 or shape[-1] != 3 for kind, shape in shapes):
            raise ConfigError("frames are no images; allowed: a tuple of arrays uint8[height,width,3] of one size.")

    def save(self, path: str | pathlib.Path) -> None:
        """Write a ``.gif`` or ``.mp4`` file."""
        path = file_path("path", path)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_animation(self.frames, path, self.fps)

    def _repr_html_(self) -> str:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "video.mp4"
            self.save(path)
            data = base64.b64encode(path.read_bytes()).decode()
        return f'<video controls loop width="{self.frames[0].shape[1]}" src="data:video/mp4;base64,{data}"></video>'

    def _repr_png_(self) -> bytes:
        """The first, middle and last frame side by side, on at most `STRIP` pixels, for viewers that do not play videos."""
        chosen = [self.frames[i] for i in sorted({0, len(self.frames) // 2, len(self.frames) - 1})]
        buffer = io.BytesIO()
        strip = Image.fromarray(np.concatenate(chosen, axis=1))
        strip.thumbnail((STRIP, STRIP), Image.Resampling.LANCZOS)
        strip.save(buffer, "png")
        return buffer.getvalue()


def save_animation(frames: Sequence[np.ndarray], path: str | pathlib.Path, fps: float = 10) -> None:
    """Write ``frames``, each u8[height,width,3], as a video with ``fps`` frames per second.

    Raises:
        ConfigError: ``path`` does not end in ``.gif`` or ``.mp4``, or there are no frames.
        ModuleNotFoundError: mp4 needs the package imageio-ffmpeg.
    """
    path = file_path("path", path)
    if path.suffix not in SUFFIXES:
        allowed = ", ".join(map(repr, SUFFIXES))
        raise ConfigError(f"path is {str(path)!r}, which ends in {path.suffix!r}; allowed: {allowed}.")
    if len(frames) == 0:
        raise ConfigError("frames has none to save; give at least one.")
    if path.suffix == ".gif":
        _write_gif(frames, path, fps)
    else:
        _write_mp4(np.stack(frames), path, fps)


def _write_gif(frames: Sequence[np.ndarray], path: pathlib.Path, fps: float) -> None:
    """Write a GIF with one colour table for all frames, storing only what changes from frame to frame.

    GIFs count time in hundredths of a second, and browsers show frames of less than two hundredths for ten. Above 50 frames per
    second, frames are therefore dropped; below, delays are rounded so that the whole video keeps its speed.
    """
    if fps > GIF_FPS:
        frames = [frames[int(i * fps / GIF_FPS)] for i in range(math.ceil(len(frames) * GIF_FPS / fps))]
    ends = np.round(100 * np.arange(len(frames) + 1) / min(fps, GIF_FPS)).astype(int)
    durations = (10 * np.diff(ends)).tolist()
    clear = 255
    shown = np.stack([frames[i] for i in np.linspace(0, len(frames) - 1, min(8, len(frames))).astype(int)])
    table = Image.fromarray(shown.reshape(-1, *shown.shape[2:])).quantize(clear, dither=Image.Dither.NONE)
    images, before = [], None
    for frame in frames:
        image = Image.fromarray(frame).quantize(palette=table, dither=Image.Dither.NONE)
        now = np.asarray(image)
        if before is not None:
            image.putdata(np.where(now == before, clear, now).ravel())
        images.append(image)
        before = now
    first, *rest = images
    options = {"transparency": clear, "disposal": 1, "optimize": False}
    first.save(path, save_all=True, append_images=rest, duration=durations, loop=0, **options)


def _write_mp4(frames: np.ndarray, path: pathlib.Path, fps: float) -> None:
    """Pipe the frames through ffmpeg; imageio would fork this process, in which JAX runs threads."""
    try:
        import imageio_ffmpeg
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{path.name!r} needs the package imageio-ffmpeg; '.gif' always works.") from error
    height, width = frames.shape[1:3]
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(fps), "-i", "-"]
    target = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p", str(path)]  # the codec needs even sides
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error", *source, *target]
    subprocess.run(command, input=frames.tobytes(), check=True)
