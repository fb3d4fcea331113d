"""``influence-jax envs``."""

import json

import influence_jax.envs
from influence_jax.cli import main
from tests.cli.commands import refusal


def test_games_are_listed(capsys):
    assert main(["envs"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == list(influence_jax.envs.registered())


def test_a_variant_is_listed_as_what_it_is(capsys):
    """Melting Pot's Cleanup used to be listed with the rules of the public code."""
    assert main(["envs"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "waste_rule bernoulli" in lines["cleanup-mp"] and "regrowth disc" in lines["harvest-mp"]
    assert "bernoulli" not in lines["cleanup"] and not any("public" in line for line in lines.values())


def test_settings_of_a_game(capsys):
    assert main(["envs", "cleanup"]) == 0
    shown = capsys.readouterr().out
    assert main(["envs", "cleanup", "--json"]) == 0
    (game,) = json.loads(capsys.readouterr().out).values()
    env = influence_jax.envs.make("cleanup")
    assert game["actions"] == list(env.spec.action_names)
    assert game["settings"]["env.horizon"]["default"] == env.horizon
    assert game["settings"]["env.params.apple_rate"]["default"] == 0.05
    for name, about in game["settings"].items():
        assert f"--{name.replace('_', '-')} " in shown and about["help"] in shown


def test_refusals(capsys):
    assert "--jsn is not an option of envs; allowed: --json." in refusal(capsys, "envs", "--jsn")
    assert "Did you mean 'cleanup'?" in refusal(capsys, "envs", "clean-up")
