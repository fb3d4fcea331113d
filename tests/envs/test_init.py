"""Games are made by name; what cannot be made is refused in one sentence that says what is allowed."""

import pytest

from influence_jax import envs
from influence_jax.config import EnvConfig
from influence_jax.envs import Cleanup, Harvest, make, registered
from influence_jax.settings import ConfigError
from tests.envs.helpers import assert_refused


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("clean-up", {}, ["'clean-up'", "Did you mean 'cleanup'?", "harvest-mp"]),
        ("xyz", {}, ["'xyz'", "allowed: box-trapped, cleanup"]),
        ("no_such_module:Game", {}, ["'no_such_module:Game'", "cannot be loaded"]),
        ("influence_jax.envs:Missing", {}, ["'influence_jax.envs:Missing'", "cannot be loaded"]),
        ("cleanup-v1", {}, ["'cleanup-v1'", "'cleanup' have version 0 here; allowed: 'cleanup' or 'cleanup-v0'."]),
        ("cleanup-vx", {}, ["'cleanup-vx'", "Did you mean 'cleanup'?"]),
        ("harvest", {"colour": 1}, ["env.colour is not a setting", "num_agents", "regrowth"]),
        ("harvest", {"drawing": 1}, ["env.drawing is not a setting"]),
    ],
)
def test_wrong_settings(name, options, words):
    assert_refused(name, options, words)


def test_names():
    assert registered() == (
        *("box-trapped", "cleanup", "cleanup-mp", "coins", "harvest", "harvest-mp"),
        *("matrix", "stag-hunt"),
    )
    assert make("cleanup").waste_rule == "lottery"
    assert make("cleanup-mp").waste_rule == "bernoulli"
    assert make("harvest").regrowth == "square"
    assert make("harvest-mp").regrowth == "disc"
    assert make("influence_jax.envs:Harvest", num_agents=3) == Harvest(num_agents=3)
    assert make("cleanup-mp", waste_rule="lottery") == Cleanup()


def test_versions_tell_rules_apart():
    class NewRules(Cleanup):
        version = 3

    assert make("cleanup-mp-v0") == make("cleanup-mp") and envs.variant("cleanup-mp-v0") == {"waste_rule": "bernoulli"}
    assert envs.configured(EnvConfig("harvest-v0"))[2].name == "harvest"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(envs._REGISTRY, "cleanup", (NewRules, {}))
        assert isinstance(make("cleanup-v3"), NewRules)
        with pytest.raises(ConfigError, match="have version 3 here"):
            make("cleanup-v0")


def test_games_say_what_they_are_in_one_line():
    facts = "3 agents, views of 5 x 5, 1000 steps, actions left, right, forward, backward, stay, turn_clockwise, "
    changed = "Harvest(num_agents=3, view_radius=2, regrowth='disc')"
    assert repr(make("harvest-mp", num_agents=3, view_radius=2)) == f"{changed}: {facts}turn_counterclockwise, fire"
    assert repr(make("cleanup")).startswith("Cleanup(): 5 agents") and repr(make("box-trapped")).endswith(", open")
    own_map = ["@" * 40, *["@P" + " " * 37 + "@"] * 20, "@" * 40]
    assert len(repr(make("harvest", num_agents=1, layout=own_map))) < 300


def test_a_registered_name_is_made_with_its_options_and_cannot_be_taken(monkeypatch):
    monkeypatch.setattr(envs, "_REGISTRY", dict(envs._REGISTRY))
    envs.register("meadow", Harvest, num_agents=2)
    assert envs.registered()[-1] == "meadow"
    assert make("meadow") == Harvest(num_agents=2) and make("meadow", num_agents=3) == Harvest(num_agents=3)
    assert {field.name: field.default for field in envs.option_fields("meadow")}["num_agents"] == 2
    with pytest.raises(ConfigError, match="environment name is 'meadow'; allowed: texts without a colon"):
        envs.register("meadow", Cleanup)


def test_a_configuration_is_written_out():
    env, params, config = envs.configured(EnvConfig("harvest", {"num_agents": 3}, {"fire_cost": 2}))
    assert env == Harvest(num_agents=3) and params.fire_cost == 2 and params.hit_penalty == 50
    assert config.options["num_agents"] == 3 and config.options["horizon"] == 1000
    assert config.params == {"regrowth": (0.0, 0.005, 0.02, 0.05), "fire_cost": 2.0, "hit_penalty": 50.0}
    with pytest.raises(
        ConfigError, match=r"env.params.fire_cos is not a parameter of this game.*Did you mean 'fire_cost'"
    ):
        envs.configured(EnvConfig("harvest", {}, {"fire_cos": 2}))
