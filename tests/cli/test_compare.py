"""``influence-jax compare``."""

import pytest

import influence_jax
from influence_jax.cli import main
from tests.cli.commands import assert_refused


def test_compare(run_directory, capsys):
    assert main(["compare", str(run_directory), "--by", "seed", "--metric", "entropy", "--window", "2"]) == 0
    found = influence_jax.compare(influence_jax.load(run_directory), "entropy", by="seed", window=2)
    assert capsys.readouterr().out == f"{found}\n" and len(found.rows) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("compare x", "runs has 'x', which holds no run and no sweep"),
        ("compare x --window 0", "window is 0; allowed: whole numbers from 1"),
    ],
)
def test_refusals(capsys, tmp_path, monkeypatch, arguments, sentence):
    assert_refused(capsys, tmp_path, monkeypatch, arguments, sentence)
