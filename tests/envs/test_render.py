"""Pictures and films."""

import subprocess
import sys

import imageio.v3 as imageio
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.envs import make
from influence_jax.envs.render import save_animation

SCALE = 8
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


def tile(picture, row, column):
    return picture[row * SCALE : (row + 1) * SCALE, column * SCALE : (column + 1) * SCALE].astype(int)


def test_picture_shows_map_agents_headings_and_beams(env, state):
    picture = env.render(state, scale=SCALE)
    assert picture.shape == (4 * SCALE, 6 * SCALE, 3) and picture.dtype == np.uint8
    assert (tile(picture, 0, 0) == (180, 180, 180)).all()
    assert (tile(picture, 1, 3) == (0, 255, 0)).all()
    assert (tile(picture, 1, 4) == 0).all()
    fire, clean = tile(picture, 2, 3), tile(picture, 2, 4)
    assert fire.any() and clean.any() and (fire != clean).any()
    agents = [tile(picture, row, column) for row, column in ((1, 1), (1, 2), (2, 1), (2, 2))]
    centres = {tuple(agent[SCALE // 2, SCALE // 2]) for agent in agents}
    assert centres == {(0, 0, 255), (2, 81, 154), (204, 0, 204), (216, 30, 54)}
    middle = SCALE // 2
    edges = [(0, middle), (middle, -1), (-1, middle), (middle, 0)]  # up, right, down, left
    for heading, agent in enumerate(agents):
        dark = [not agent[edge].any() for edge in edges]
        assert dark == [side == heading for side in range(4)]


def test_agents_that_share_a_colour_differ():
    env = make("harvest", layout=("P" * 11,), num_agents=11)
    state, _ = jax.jit(env.reset)(jax.random.key(0), env.default_params)
    state = state.replace(position=jnp.array([(0, column) for column in range(11)]), heading=jnp.zeros(11, jnp.int32))
    picture = env.render(state, scale=SCALE)
    tiles = {tile(picture, 0, column).tobytes() for column in range(11)}
    assert len(tiles) == 11
    assert (tile(picture, 0, 0)[-1] == tile(picture, 0, 10)[-1]).all()


@pytest.fixture
def frames(env, state):
    rolled = [env.render(state.replace(heading=(state.heading + turn) % 4), scale=5) for turn in range(4)]
    return [frame[:-1, :-1] for frame in rolled]  # odd sides, which the mp4 codec does not take as they are


def test_gif(frames, tmp_path):
    path = tmp_path / "episode.gif"
    save_animation(frames, path, fps=4)
    film = imageio.imread(path, index=None)
    assert film.shape[:3] == (4, *frames[0].shape[:2])
    assert np.abs(film[..., :3].astype(int) - np.stack(frames)).mean() < 3
    assert imageio.immeta(path)["duration"] == 250


def test_mp4(frames, tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    path = tmp_path / "episode.mp4"
    save_animation(frames, str(path), fps=4)
    decode = [ffmpeg, "-loglevel", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    height, width = (side + side % 2 for side in frames[0].shape[:2])
    film = np.frombuffer(subprocess.run(decode, capture_output=True, check=True).stdout, np.uint8)
    film = film.reshape(4, height, width, 3)
    expected = np.stack(frames).astype(int)
    assert np.abs(film[:, : expected.shape[1], : expected.shape[2]] - expected).mean() < 30


def test_mp4_without_ffmpeg(frames, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"'episode.mp4' needs the package imageio-ffmpeg; '.gif' always works."
    ):
        save_animation(frames, tmp_path / "episode.mp4", fps=4)


def test_unknown_suffix_and_empty_film(frames, tmp_path):
    with pytest.raises(ValueError, match=r"suffix of 'episode.avi' is '.avi'; allowed are '.gif', '.mp4'."):
        save_animation(frames, tmp_path / "episode.avi", fps=4)
    with pytest.raises(ValueError, match="no frames"):
        save_animation([], tmp_path / "episode.gif", fps=4)
