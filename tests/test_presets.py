"""Every preset trains, in tiny shapes of every profile, and has the numbers of its table."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest

from influence_jax import presets
from influence_jax.config import ConfigError, from_json, to_json, validate
from influence_jax.learner import train
from influence_jax.learner.learner import make_learner
from influence_jax.learner.update import update


@pytest.mark.slow
@pytest.mark.parametrize("name", presets.names())
def test_one_update_is_finite_moves_every_agent_and_differs_from_its_ablation(name):
    """The ablation is the same program with weight 0 for what makes the agents social."""
    config = presets.get(name, None if name.startswith("box") else "small")
    config = dataclasses.replace(
        config,
        env=dataclasses.replace(config.env, view_radius=config.env.options.get("view_radius", 1), horizon=6),
        network=dataclasses.replace(config.network, conv_channels=2, hidden_size=4, core_size=4),
        learner=dataclasses.replace(config.learner, num_envs=8, rollout_length=4),
    )
    learner = make_learner(config)

    @jax.jit
    def run(key, hparams):
        state = train.init(learner, key, hparams)
        # At first nobody has more influence than rounding errors.
        loud = jax.tree.map(lambda x: x + jax.random.normal(jax.random.key(9), x.shape, x.dtype), state.params)
        state = state.replace(params=loud, update=jnp.int32(5))
        after, logs = update(learner, state, 10.0)
        return state.params, after.params, logs

    before, after, logs = run(jax.random.key(0), config.hyperparams)
    assert all(jnp.isfinite(x).all() for x in jax.tree.leaves(after))
    moved = [
        jnp.any(a != b, axis=tuple(range(1, a.ndim)))
        for a, b in zip(*map(jax.tree.leaves, (before, after)), strict=True)
    ]
    assert jnp.stack(moved).any(axis=0).all()
    assert (logs["current_influence_weight"].value() > 0) == (config.hyperparams.influence_weight > 0)

    asocial = config.hyperparams.replace(influence_weight=0.0, prosocial_weight=0.0, envy=0.0, guilt=0.0)
    _, ablated, _ = run(jax.random.key(0), asocial)
    differs = any(jnp.any(a != b) for a, b in zip(*map(jax.tree.leaves, (after, ablated)), strict=True))
    assert differs == (config.hyperparams.influence_weight > 0 or config.learner.shaper != "individual")


@pytest.mark.parametrize(
    ("name", "entropy", "start", "end", "beta", "curriculum"),
    [
        ("cleanup-a3c", 0.00176, 0.00126, 0.000012, 0, 0),
        ("cleanup-basic", 0.000248, 0.00107, 0.000042, 0.146, 140),
        ("cleanup-communication", 0.00305, 0.00249, 0.0000127, 2.752, 1),
        ("cleanup-moa", 0.00176, 0.00123, 0.000012, 0.620, 40),
        ("harvest-visible-actions", 0.00184, 0.00215, 0.000013, 0, 0),
        ("harvest-basic", 0.00025, 0.00107, 0.000042, 0.224, 140),
        ("harvest-communication", 0.00220, 0.000413, 0.000049, 4.825, 8),
        ("harvest-moa", 0.00223, 0.00120, 0.000044, 2.521, 226),
    ],
)
def test_numbers_of_the_tables(name, entropy, start, end, beta, curriculum):
    hparams = presets.get(name).hyperparams
    assert (hparams.entropy_coef, hparams.learning_rate, hparams.learning_rate_end) == (entropy, start, end)
    assert hparams.influence_weight == beta
    assert hparams.influence_curriculum * presets.PAPER_STEPS == pytest.approx(curriculum * 1e6)


@pytest.mark.parametrize("profile", presets.PROFILES)
def test_every_configuration_is_valid_and_survives_json(profile):
    for name in presets.names():
        config = presets.get(name, None if name.startswith("box") else profile)
        assert validate(config) == config
        assert from_json(to_json(config)) == config


@pytest.mark.parametrize("profile", ["small", "large"])
def test_conditions_learned_by_ppo_differ_in_what_they_are_about_alone(profile):
    conditions = [presets.get(name, profile) for name in presets.names() if not name.startswith("box")]
    assert {config.hyperparams.entropy_coef for config in conditions} == {0.012}
    assert {config.hyperparams.learning_rate for config in conditions} == {1e-3}
    talking = {config.influence.model: config.hyperparams.message_entropy_coef for config in conditions}
    assert (
        talking["communication"] == 0.012
        and talking["basic"] == presets.get("harvest-a3c").hyperparams.message_entropy_coef
    )


def test_a_misspelt_profile_is_refused():
    with pytest.raises(ConfigError, match=r"profile is 'smal'; allowed: paper, large, small. Did you mean 'small'"):
        presets.get("cleanup-moa", profile="smal")
