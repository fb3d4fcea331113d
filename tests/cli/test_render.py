"""``influence-jax render``."""

import imageio.v3 as imageio
import pytest

from influence_jax.cli import main
from tests.cli.commands import assert_refused, refusal


def test_render(run_directory, tmp_path):
    path = tmp_path / "episode.gif"
    assert main(["render", str(run_directory), "--out", str(path), "--member", "1"]) == 0
    assert path.read_bytes()[:3] == b"GIF"


def test_a_part_of_an_episode_in_another_size(run_directory, tmp_path):
    path = tmp_path / "part.gif"
    part = ["--start", "-6", "--stop", "19", "--views", "0", "1", "--scale", "10"]
    assert main(["render", str(run_directory), "--out", str(path), *part]) == 0
    frames = imageio.imread(path, index=None, mode="RGB")
    assert frames.shape[0] == 4 and frames.shape[2] == 9 * 10


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("render x --out x.png", "out is 'x.png'; allowed: files that end in .gif or .mp4."),
        ("render x --out x.gif --scale 3", "scale is 3; allowed: whole numbers from 4 to 256"),
    ],
)
def test_refusals(capsys, tmp_path, monkeypatch, arguments, sentence):
    assert_refused(capsys, tmp_path, monkeypatch, arguments, sentence)


def test_an_agent_that_there_is_not_has_no_view(capsys, run_directory, tmp_path):
    arguments = ["render", str(run_directory), "--out", str(tmp_path / "x.gif"), "--views", "2"]
    assert "views is 2; allowed: whole numbers from 0 to 1" in refusal(capsys, *arguments)
