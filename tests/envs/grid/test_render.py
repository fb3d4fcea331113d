"""Images and videos."""

import subprocess
import sys

import imageio.v3 as imageio
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from influence_jax.envs import make
from influence_jax.envs.grid import vision
from influence_jax.envs.grid.render import (
    STRIP,
    Video,
    agent_colour,
    draw_arrows,
    draw_views,
    render_maps,
    save_animation,
    with_header,
)
from influence_jax.settings import ConfigError

SCALE = 32
LAYOUT = ("@@@@@@", "@PPA @", "@PPP @", "@@@@@@")


@pytest.fixture(scope="module")
def env():
    return make("harvest", layout=LAYOUT, num_agents=4)


@pytest.fixture(scope="module")
def state(env):
    state, _ = jax.jit(env.reset)(jax.random.key(0), env.default_params)
    beams = np.zeros((4, 6), np.uint8)
    beams[2, 3:5] = 1, 2
    return state.replace(
        position=jnp.array([(1, 1), (1, 2), (2, 1), (2, 2)]), heading=jnp.arange(4), beams=jnp.asarray(beams)
    )


def tile(image, row, column, scale=SCALE):
    return image[row * scale : (row + 1) * scale, column * scale : (column + 1) * scale].astype(int)


def lightness(pixels):
    return np.asarray(pixels) @ [0.299, 0.587, 0.114]


def test_picture_shows_map_agents_headings_and_beams(env, state):
    image = env.render(state, scale=SCALE)
    assert image.shape == (4 * SCALE, 6 * SCALE, 3) and image.dtype == np.uint8
    middle = SCALE // 2
    wall, apple, floor = (tile(image, *cell) for cell in ((0, 0), (1, 3), (1, 4)))
    assert lightness(wall.mean(axis=(0, 1))) < 100 < 200 < lightness(floor.mean(axis=(0, 1)))
    assert apple[middle, middle, 1] > apple[middle, middle, 0] + 50  # green
    fire, clean = tile(image, 2, 3), tile(image, 2, 4)
    assert fire[..., 0].mean() > fire[..., 2].mean() + 50 and clean[..., 2].mean() > clean[..., 0].mean()
    agents = [tile(image, row, column) for row, column in ((1, 1), (1, 2), (2, 1), (2, 2))]
    edges = [(0, middle), (middle, -1), (-1, middle), (middle, 0)]  # up, right, down, left
    for heading, agent in enumerate(agents):
        assert np.argmin([lightness(agent[edge]) for edge in edges]) == heading
        wanted = [int(agent_colour(heading)[i : i + 2], 16) for i in (1, 3, 5)]
        assert (np.abs(agent - wanted).max(axis=-1) < 8).sum() > SCALE


def test_what_differs_in_kind_differs_in_grey():
    """Floor, wall, water, waste and apples all differ pairwise in the mean or the spread of lightness."""
    codes = np.array([[vision.EMPTY, vision.WALL, vision.RIVER, vision.WASTE, vision.APPLE]], np.uint8)
    image = next(render_maps([(codes, 0 * codes, np.zeros((0, 2), int), np.zeros(0, int))], 24))
    grey = [lightness(tile(image, 0, column, 24)) for column in range(5)]
    looks = np.array([(x.mean(), 2 * x.std()) for x in grey])
    distance = np.abs(looks[:, None] - looks).max(axis=-1)
    assert distance[~np.eye(5, dtype=bool)].min() > 20


def test_agents_of_one_colour_have_numbers_of_their_own():
    env = make("harvest", layout=("P" * 11,), num_agents=11)
    state, _ = jax.jit(env.reset)(jax.random.key(0), env.default_params)
    state = state.replace(position=jnp.array([(0, column) for column in range(11)]), heading=jnp.zeros(11, jnp.int32))
    image = env.render(state, scale=SCALE)
    assert len({tile(image, 0, column).tobytes() for column in range(11)}) == 11
    assert agent_colour(0) == agent_colour(10)


def test_a_film_is_its_frames(env, state):
    """Storing only changes must not be visible."""
    later = state.replace(apples=state.apples.at[1, 3].set(False).at[1, 4].set(True), beams=state.beams * 0)
    states = jax.tree.map(lambda *x: jnp.stack(x), state, later, state)
    frames = list(env.video(states, scale=SCALE))
    for frame, one in zip(frames, (state, later, state), strict=True):
        np.testing.assert_array_equal(frame, env.render(one, scale=SCALE))
    assert (frames[0] != frames[1]).any()


def test_views_are_outlined_where_they_end():
    image = np.full((10 * SCALE, 10 * SCALE, 3), 255, np.uint8)
    drawn = draw_views(image, np.array([(4, 5), (0, 0)]), 2, [0], SCALE)
    changed = (drawn != image).any(axis=-1)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (2 * SCALE, 7 * SCALE - 1, 3 * SCALE, 8 * SCALE - 1)
    assert not changed[3 * SCALE : 6 * SCALE, 4 * SCALE : 7 * SCALE].any()


def test_an_arrow_leads_from_one_to_the_other_and_is_as_wide_as_strong():
    image, position = np.full((3 * SCALE, 12 * SCALE, 3), 255, np.uint8), np.array([(1, 1), (1, 10)])

    def drawn(strength):
        pairs = np.zeros((2, 2))
        pairs[0, 1] = strength
        return (draw_arrows(image, position, pairs, SCALE) != image).any(axis=-1)

    weak, strong = drawn(0.1), drawn(1.0)
    assert not drawn(0.0).any() and strong.sum() > 1.3 * weak.sum() > 0
    columns = np.flatnonzero(strong.any(axis=0))
    assert SCALE < columns[0] < 2 * SCALE and 10 * SCALE - 8 < columns[-1] < 11 * SCALE
    width = strong.sum(axis=0)
    assert width[9 * SCALE :].max() > 1.5 * np.median(width)  # the head is at the end
    position[1] = position[0]
    assert not drawn(1.0).any()  # in some games agents may share a cell


def test_the_header_fits_whatever_the_width():
    for width in (120, 800):
        image = np.zeros((40, width, 3), np.uint8)
        headed = with_header(image, "step 999", [-1000, 250, 3, 4, 5])
        assert headed.shape[1:] == (width, 3) and (headed[-40:] == 0).all()
        header = headed[:-40]
        assert (header < 100).any() and (header[:, -2:] == 255).all()
        assert with_header(image, "step 9").shape == headed.shape  # or a video would have frames of two sizes


def test_a_film_for_notebooks(frames):
    video = Video(tuple(frames), fps=4)
    assert video._repr_html_().startswith('<video controls loop width="')
    still = imageio.imread(video._repr_png_())
    assert still.shape[1] == 3 * frames[0].shape[1]
    wide = Video((np.zeros((30, 900, 3), np.uint8),) * 3, fps=4)
    assert imageio.imread(wide._repr_png_()).shape == (13, STRIP, 3)


@pytest.fixture
def frames(env, state):
    rolled = [env.render(state.replace(heading=(state.heading + turn) % 4), scale=5) for turn in range(4)]
    return [frame[:-1, :-1] for frame in rolled]  # odd sides, which the mp4 codec does not take as they are


def test_gif(frames, tmp_path):
    path = tmp_path / "episode.gif"
    save_animation(frames, path, fps=4)
    video = imageio.imread(path, index=None, mode="RGB")
    assert video.shape[:3] == (4, *frames[0].shape[:2])
    assert np.abs(video[..., :3].astype(int) - np.stack(frames)).mean() < 3
    assert imageio.immeta(path)["duration"] == 250


def test_mp4(frames, tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    path = tmp_path / "episode.mp4"
    save_animation(frames, str(path), fps=4)
    decode = [ffmpeg, "-loglevel", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    height, width = (side + side % 2 for side in frames[0].shape[:2])
    video = np.frombuffer(subprocess.run(decode, capture_output=True, check=True).stdout, np.uint8)
    video = video.reshape(4, height, width, 3)
    expected = np.stack(frames).astype(int)
    assert np.abs(video[:, : expected.shape[1], : expected.shape[2]] - expected).mean() < 30


def test_mp4_without_ffmpeg(frames, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"'episode.mp4' needs the package imageio-ffmpeg; '.gif' always works."
    ):
        save_animation(frames, tmp_path / "episode.mp4", fps=4)


def test_unknown_suffix_and_empty_film(frames, tmp_path):
    with pytest.raises(ConfigError, match=r"episode.avi', which ends in '.avi'; allowed: '.gif', '.mp4'."):
        save_animation(frames, tmp_path / "episode.avi", fps=4)
    with pytest.raises(ConfigError, match="frames has none"):
        save_animation([], tmp_path / "episode.gif", fps=4)
    for fps in (0, -1, float("nan"), "ten"):
        with pytest.raises(ConfigError, match=r"fps is .*; allowed: numbers from 0.1 to 1000"):
            Video((frames[0],), fps)


@pytest.mark.parametrize("fps", [7, 15, 24, 30, 50, 60, 120])
def test_gifs_keep_their_speed_in_browsers(tmp_path, fps):
    """Browsers show a frame of less than 20 ms for 100 ms; the format counts in 10 ms."""
    frames = np.zeros((48, 8, 8, 3), np.uint8)
    frames.reshape(48, 64, 3)[range(48), range(48)] = 255  # no two alike, which would be merged
    save_animation(frames, tmp_path / "video.gif", fps)
    delays = []
    with Image.open(tmp_path / "video.gif") as video:
        for i in range(video.n_frames):
            video.seek(i)
            delays.append(video.info["duration"])
    assert min(delays) >= 20 and abs(sum(delays) - 48_000 / fps) <= 20
    assert len(delays) == 48 if fps <= 50 else len(delays) < 48
