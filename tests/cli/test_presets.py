"""``influence-jax presets``."""

import pytest

import influence_jax
from influence_jax.cli import main
from tests.cli.commands import assert_refused


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("presets all", "presets takes no arguments"),
    ],
)
def test_refusals(capsys, tmp_path, monkeypatch, arguments, sentence):
    assert_refused(capsys, tmp_path, monkeypatch, arguments, sentence)


def test_every_preset_is_listed(capsys):
    assert main(["presets"]) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} == set(influence_jax.presets.names())
