"""PopArt against numpy: moments, units, and values that no change of moments changes."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.learner import popart, train
from influence_jax.learner.learner import make_learner
from influence_jax.learner.losses import HeadBatch
from influence_jax.rewards import init_scale
from influence_jax.runtime.population import init_population
from influence_jax.settings import ConfigError
from influence_jax.types import HeadSample
from tests.learner.worlds import probe_config

AGENTS, STEPS, ENVS = 2, 5, 40


@pytest.fixture
def targets():
    """Returns f32[N,T,E] of two agents, one rich and one poor."""
    noise = np.random.default_rng(0).normal(size=(AGENTS, STEPS, ENVS)).astype(np.float32)
    return np.array([30.0, -2.0], np.float32)[:, None, None] + np.array([4.0, 0.5], np.float32)[:, None, None] * noise


@pytest.fixture
def learned(targets):
    """What a first rollout makes of batch, parameters and moments, and what they were."""
    batch = HeadBatch(symbol=None, log_prob=None, target=jnp.asarray(targets), advantage=jnp.asarray(targets) - 1.0)
    params = {
        "value_head": {
            "kernel": jax.random.normal(jax.random.key(1), (AGENTS, 3, 1)),
            "bias": jnp.array([[0.3], [-0.2]]),
        }
    }
    scale = {"action": init_scale(ENVS, AGENTS)}
    return {"action": batch}, params, scale, popart.normalise({"action": batch}, params, scale)


def test_targets_come_in_deviations_from_their_mean(targets, learned):
    *_, (heads, _, _) = learned
    mean, deviation = targets.mean(axis=(1, 2), keepdims=True), targets.std(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(heads["action"].target, (targets - mean) / deviation, atol=1e-3)
    np.testing.assert_allclose(heads["action"].advantage, (targets - 1.0) / deviation, rtol=1e-3)


def test_values_stay_when_their_moments_change(learned):
    _, before, old, (_, after, new) = learned
    hidden = jax.random.normal(jax.random.key(2), (7, AGENTS, 3))

    def values(params, scale):
        outputs = jnp.einsum("bnf,nf->bn", hidden, params["value_head"]["kernel"][..., 0])
        outputs += params["value_head"]["bias"][:, 0]
        sample = HeadSample(symbol=None, log_prob=None, value=outputs, entropy=None)
        return popart.values_in_rewards({"action": sample}, scale)["action"].value

    np.testing.assert_allclose(values(after, new), values(before, old), atol=1e-4)
    assert not np.allclose(after["value_head"]["kernel"], before["value_head"]["kernel"])


def test_moments_are_those_of_all_targets_whatever_the_order(targets, monkeypatch):
    monkeypatch.setattr("influence_jax.rewards.RETURN_HALF_LIFE", 1e9)  # so that nothing fades
    scale = {"action": init_scale(ENVS, AGENTS)}
    params = {"value_head": {"kernel": jnp.ones((AGENTS, 3, 1)), "bias": jnp.zeros((AGENTS, 1))}}
    for half in (targets, 3 * targets):
        batch = HeadBatch(symbol=None, log_prob=None, target=jnp.asarray(half), advantage=jnp.asarray(half))
        _, params, scale = popart.normalise({"action": batch}, params, scale)
    both = np.concatenate([targets, 3 * targets], axis=1)
    mean, deviation = popart.moments(scale["action"])
    np.testing.assert_allclose(mean, both.mean(axis=(1, 2)), rtol=1e-3)
    np.testing.assert_allclose(deviation, both.std(axis=(1, 2)), rtol=1e-3)


def test_a_network_without_such_a_value_head_is_refused(learned):
    heads, _, scale, _ = learned
    with pytest.raises(ConfigError, match=r"learner.reward_scaling is 'popart' .* 'value_head'; allowed there: none"):
        popart.normalise(heads, {"critic": jnp.zeros(AGENTS)}, scale)


@pytest.mark.parametrize("before", ["popart", "running_std", "none"])
@pytest.mark.parametrize("after", ["popart", "running_std", "none"])
def test_values_survive_the_start_from_another_run(before, after):
    """In rewards, whatever the units of the two runs; with one scaling the moments are taken over."""

    def learner(method):
        config = probe_config(seeds=2)
        return make_learner(
            dataclasses.replace(config, learner=dataclasses.replace(config.learner, reward_scaling=method))
        )

    def values(method, state):
        mean, deviation = jax.vmap(lambda scale: popart.value_units(method, scale)["action"])(state.reward_scale)
        outputs = state.params["value_head"]["bias"][..., 0] + state.params["value_head"]["kernel"].sum(axis=(-2, -1))
        return deviation * outputs + mean

    def population(learner, seed):
        return init_population(dataclasses.replace(learner, config=dataclasses.replace(learner.config, seed=seed)))

    source, target = learner(before), learner(after)
    trained, fresh = population(source, 5), population(target, 0)
    returns = jnp.array([30.0, -2.0, 5.0]) + 4 * jax.random.normal(jax.random.key(0), (2, 3, 4, 3))
    seen = jax.vmap(lambda scale, x: scale.add(x))(trained.reward_scale["action"], returns)
    trained = trained.replace(reward_scale={"action": seen})
    found = train.begin_with(target, fresh, source, trained)
    np.testing.assert_allclose(values(after, found), values(before, trained), rtol=1e-4)
    assert (found.reward_scale["action"].weight > 0).all() == (before == after)
    np.testing.assert_array_equal(found.reward_scale["action"].discounted, fresh.reward_scale["action"].discounted)
