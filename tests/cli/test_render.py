"""``influence-jax render``."""

import pytest

from influence_jax.cli import main
from tests.cli.commands import assert_refused, refusal


def test_render(run_directory, tmp_path):
    path = tmp_path / "episode.gif"
    assert main(["render", str(run_directory), "--out", str(path), "--member", "1"]) == 0
    assert path.read_bytes()[:3] == b"GIF"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("render x --out x.png", "out is 'x.png'; allowed: files that end in .gif or .mp4."),
    ],
)
def test_refusals(capsys, tmp_path, monkeypatch, arguments, sentence):
    assert_refused(capsys, tmp_path, monkeypatch, arguments, sentence)


def test_a_member_that_there_is_not_is_refused(capsys, run_directory, tmp_path):
    image = str(tmp_path / "x.gif")
    assert "member is 2; allowed: 0 to 1" in refusal(
        capsys, "render", str(run_directory), "--out", image, "--member", "2"
    )
