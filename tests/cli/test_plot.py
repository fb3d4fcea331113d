"""``influence-jax plot``."""

import pytest

from influence_jax.cli import main
from tests.cli.commands import assert_refused


def test_plot(run_directory, tmp_path, capsys):
    path = tmp_path / "curves.svg"
    metrics = ["--metrics", "entropy", "influence"]
    assert main(["plot", str(run_directory), "--out", str(path), "--by", "seed", *metrics]) == 0
    assert "<svg" in path.read_text() and capsys.readouterr().out == f"{path}\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("plot x --out x.html", "out is 'x.html'; allowed: files that end in .png or .svg or .pdf."),
        ("plot x --out x.png", "runs has 'x', which holds no run and no sweep"),
    ],
)
def test_refusals(capsys, tmp_path, monkeypatch, arguments, sentence):
    assert_refused(capsys, tmp_path, monkeypatch, arguments, sentence)
