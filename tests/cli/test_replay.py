"""``influence-jax replay``."""

import pytest

from influence_jax.cli import main
from tests.cli.commands import assert_refused, refusal


def test_replay(run_directory, tmp_path, capsys):
    path = tmp_path / "new" / "episode.html"
    command = ["replay", str(run_directory), "--out", str(path), "--member", "1", "--seed", "3"]
    assert main(command) == 0
    assert capsys.readouterr().out == f"one episode after 100 updates: {path}\n"
    assert '"title": "run, member 1, seed 3"' in path.read_text()
    assert "which exists; allowed: a new file" in refusal(capsys, *command)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("replay x --out x.gif", "out is 'x.gif'; allowed: files that end in .html."),
        ("replay x --out x.html --seed -1", "seed is -1; allowed: whole numbers from 0"),
    ],
)
def test_refusals(capsys, tmp_path, monkeypatch, arguments, sentence):
    assert_refused(capsys, tmp_path, monkeypatch, arguments, sentence)
