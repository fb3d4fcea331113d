"""A configuration becomes the parts of a learner, or is refused in one sentence."""

import copy
import dataclasses

import jax
import jax.numpy as jnp
import optax
import pytest

import influence_jax
from influence_jax.config import ConfigError, EnvConfig, InfluenceConfig
from influence_jax.influence.measures import jsd
from influence_jax.learner import train
from influence_jax.learner.learner import make_learner
from influence_jax.rewards import SHAPERS
from tests.learner.worlds import probe_config


def test_numbers_of_a_game_reach_the_configuration():
    config = make_learner(
        dataclasses.replace(
            influence_jax.presets.get("cleanup-a3c"), env=EnvConfig("cleanup", params={"hit_penalty": 0})
        )
    ).config
    assert config.env.params["hit_penalty"] == 0.0 and config.env.params["waste_rate"] == 0.5
    assert config.env.options["num_agents"] == 5 and config.env.options["waste_rule"] == "lottery"


def test_parts_are_those_of_the_configuration_until_they_are_replaced():
    learner = make_learner(probe_config())
    assert learner.shaper is SHAPERS["individual"] and learner.env.spec.num_agents == 3
    assert learner.replaced == ()
    changed = dataclasses.replace(learner, optimizer=optax.identity())
    assert changed.replaced == ("optimizer",)
    settings = learner.config.env.name, learner.config.influence.model, learner.config.network.name
    assert repr(learner) == "Learner of 3 agents in {!r}, influence.model {!r}, network.name {!r}".format(*settings)
    assert repr(changed) == f"{learner}, optimizer of your own"


def test_learners_of_one_configuration_are_one_argument_of_what_is_compiled():
    """Unless a part is replaced, or is the user's own code, which may have changed."""
    learner, again = make_learner(probe_config()), make_learner(probe_config())
    assert learner is not again and learner == again and hash(learner) == hash(again)
    assert learner != make_learner(probe_config(log_interval=7)) and learner != "learner"
    assert learner != dataclasses.replace(again, optimizer=optax.identity())
    config = probe_config()
    own = dataclasses.replace(config, learner=dataclasses.replace(config.learner, optimizer="optax:identity"))
    assert make_learner(own) != make_learner(own)


def test_a_template_is_that_of_every_learner_with_the_same_program(tiny):
    learner = make_learner(tiny)
    numbers = {"seed": 5, "seeds": 3, "total_steps": 9, "hyperparams": tiny.hyperparams.replace(influence_weight=3.0)}
    other = make_learner(
        dataclasses.replace(tiny, env=dataclasses.replace(tiny.env, params={"hit_penalty": 7.0}), **numbers)
    )
    assert learner != other and learner.template == other.template and learner.template.template == other.template
    for static in ({"log_interval": 3}, {"learner": dataclasses.replace(tiny.learner, num_envs=6)}):
        assert make_learner(dataclasses.replace(tiny, **static)).template != learner.template
    own = dataclasses.replace(learner, optimizer=optax.sgd(1.0))
    assert own.template is own
    fresh = make_learner(tiny)
    jax.eval_shape(lambda: jnp.int32(fresh.template.config.seed))
    assert float(fresh.template.env_params.hit_penalty) == 50  # a number, though whoever asked first was tracing


def test_what_was_replaced_is_noticed_and_recorded():
    config = dataclasses.replace(influence_jax.presets.get("harvest-a3c"), env=EnvConfig("harvest", num_agents=2))
    learner = make_learner(config)
    cheap = dataclasses.replace(learner, env_params=learner.env_params.replace(hit_penalty=1.0))
    assert cheap != learner and cheap.config.env.params["hit_penalty"] == 1.0 and cheap.replaced == ()
    settings = dataclasses.replace(config, env=EnvConfig("harvest", {"num_agents": 2}, {"hit_penalty": 1}))
    assert cheap == make_learner(settings) and hash(cheap) == hash(make_learner(settings))
    longer = dataclasses.replace(learner.config, total_steps=10**6)
    assert dataclasses.replace(learner, config=longer) == make_learner(longer)  # no part depends on it
    smaller = dataclasses.replace(learner.config, network=dataclasses.replace(config.network, core_size=8))
    other = dataclasses.replace(learner, config=smaller)  # the network is still the large one
    assert other.replaced == ("config",) and other != make_learner(smaller)
    shorter = dataclasses.replace(config.learner, rollout_length=7)
    assert dataclasses.replace(learner, config=dataclasses.replace(learner.config, learner=shorter)).rollout_length == 7
    own = dataclasses.replace(learner, bonus_actions=(3,))
    assert own.replaced == ("bonus_actions",) and own != learner
    moa = make_learner(influence_jax.presets.get("harvest-moa"))
    measured = dataclasses.replace(moa, model=dataclasses.replace(moa.model, measure=jsd))
    assert measured.replaced == ("model",) and measured != moa


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"optimizer": "builtins:dict"}, ["learner.optimizer", "builtins:dict", "returned dict"]),
        ({"shaper": SHAPERS["prosocial"]}, ["learner.shaper is Shaper", "make_learner(config), shaper=...)"]),
        (
            {"observe_rewards": True},
            ["learner.observe_rewards is True, but learner.shaper 'individual' does not use it"],
        ),
    ],
)
def test_refusals(changes, words):
    config = probe_config()
    config = dataclasses.replace(config, learner=dataclasses.replace(config.learner, **changes))
    with pytest.raises(ConfigError) as error:
        make_learner(config)
    message = str(error.value)
    assert all(word in message for word in words) and "\n" not in message


def test_a_bonus_needs_actions():
    settings = {"influence.model": "moa", "influence.control": "act_bonus", "num_envs": 2}
    for name, beams in (("cleanup", (7, 8)), ("harvest", (7,))):
        assert make_learner(influence_jax.presets.get(f"{name}-a3c", **settings)).bonus_actions == beams
    with pytest.raises(ConfigError, match=r"influence.control is 'act_bonus' in 'box-trapped', where no action draws"):
        make_learner(influence_jax.presets.get("box-trapped", **settings))
    named = {"influence.bonus_actions": ["stay", "turn_clockwise"]}
    assert make_learner(influence_jax.presets.get("harvest-a3c", **settings | named)).bonus_actions == (4, 5)
    with pytest.raises(ConfigError, match=r"bonus_actions has 'clean'; allowed in 'harvest': left, right, .*, fire\."):
        make_learner(influence_jax.presets.get("harvest-a3c", **settings | {"influence.bonus_actions": ["clean"]}))


def test_another_perspective_needs_headings_and_colours():
    settings = {"network.moa_encoder": "perspective", "num_envs": 2}
    with pytest.raises(
        ConfigError, match=r"moa_encoder is 'perspective' with influence.model 'independent', which has no model"
    ):
        make_learner(influence_jax.presets.get("harvest-a3c", **settings))
    for name, beams, agents in (("harvest", True, 5), ("cleanup", False, 2)):
        game = {"env.num_agents": agents, "env.headings_visible": True, "env.beams_visible": beams}
        learner = make_learner(influence_jax.presets.get(f"{name}-moa", **settings, **game))
        assert len(learner.model.network_spec.agent_colours) == agents
    for game in (
        {},
        {"env.headings_visible": True, "env.num_agents": 6},
    ):  # the sixth has the colour of a cleaning beam
        with pytest.raises(ConfigError, match=r"moa_encoder is 'perspective' in 'harvest', whose views do not show"):
            make_learner(influence_jax.presets.get("harvest-moa", **settings, **game))


def test_views_that_no_network_can_read_are_refused():
    config = dataclasses.replace(influence_jax.presets.get("harvest-a3c"), env=EnvConfig("harvest", view_radius=0))
    with pytest.raises(ConfigError, match=r"env.view_radius gives agents a view of 1 cells; allowed: views of 3"):
        make_learner(config)
    learner = make_learner(probe_config())

    def floating(state):
        image, visible = type(learner.env).observe(learner.env, state)
        return image / jnp.float32(255), visible

    env = copy.copy(learner.env)
    object.__setattr__(env, "observe", floating)
    with pytest.raises(ConfigError, match=r"shows its agents float32\[3, .*; allowed: images of whole numbers from 0"):
        jax.eval_shape(lambda: train.init(dataclasses.replace(learner, env=env), jax.random.key(0)))


@pytest.mark.parametrize("model", ["moa", "tests.evaluation.own_models:moa"])
def test_what_a_model_of_others_needs_is_asked_for_whatever_its_name(model):
    config = probe_config(influence=InfluenceConfig(model=model))
    with pytest.raises(
        ConfigError, match=rf"rollout_length is 1 with influence.model '{model}', .*; allowed: whole numbers from 2"
    ):
        make_learner(dataclasses.replace(config, learner=dataclasses.replace(config.learner, rollout_length=1)))
    with pytest.raises(
        ConfigError, match=rf"measure 'pmi' needs the action .* which influence.model '{model}' does not know"
    ):
        make_learner(dataclasses.replace(config, influence=InfluenceConfig(model=model, measure="pmi")))
