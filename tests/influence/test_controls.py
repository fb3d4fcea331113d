"""Negative controls: same scale, no causal content."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.influence.controls import CONTROLS


def draws():
    keys = jax.random.split(jax.random.key(0), 4)
    return keys[3], *(jnp.abs(jax.random.normal(k, (50, 40, 2))) for k in keys[:3])


def test_controls_keep_the_scale_and_lose_the_cause():
    key, reward, surprisal, information = draws()
    acts = jax.random.bernoulli(jax.random.key(1), 0.2, reward.shape).astype(jnp.float32)
    results = {name: control(key, reward, surprisal, information, acts) for name, control in CONTROLS.items()}
    np.testing.assert_array_equal(results["none"], reward)
    np.testing.assert_array_equal(results["mi"], information)
    np.testing.assert_allclose(jnp.sort(results["shuffled"], axis=1), jnp.sort(reward, axis=1))
    ratio = reward.mean(axis=(0, 1)) / surprisal.mean(axis=(0, 1))
    np.testing.assert_allclose(results["entropy"] / surprisal, jnp.broadcast_to(ratio, reward.shape), rtol=1e-5)
    for moment in (jnp.mean, jnp.std):
        np.testing.assert_allclose(moment(results["noise"], axis=(0, 1)), moment(reward, axis=(0, 1)), rtol=0.1)
    np.testing.assert_allclose(results["act_bonus"].mean(axis=(0, 1)), reward.mean(axis=(0, 1)), rtol=1e-5)
    np.testing.assert_array_equal(results["act_bonus"] > 0, acts > 0)
    for name in ("shuffled", "noise", "entropy", "act_bonus"):
        assert abs(np.corrcoef(results[name].ravel(), reward.ravel())[0, 1]) < 0.1


@pytest.mark.parametrize("name", ["noise", "entropy"])
def test_controls_pay_each_agent_at_its_own_scale_and_only_where_it_was_paid(name):
    """One influencer of five that sees somebody in every fourth step; one agent has a hundredth of its influence."""
    key, reward, surprisal, _ = draws()
    met = (jnp.arange(50) % 4 == 0)[:, None]
    agents = [reward[..., 0] * met, 0.01 * reward[..., 1] * met] + [jnp.zeros((50, 40))] * 3
    reward, surprisal = jnp.stack(agents, axis=-1), jnp.tile(surprisal[..., :1], 5)
    paid = CONTROLS[name](key, reward, surprisal, None, None)
    assert not paid[..., 2:].any()
    np.testing.assert_array_equal(paid[..., 0] != 0, reward[..., 0] != 0)
    np.testing.assert_allclose(paid.mean(axis=(0, 1)), reward.mean(axis=(0, 1)), rtol=0.15)


@pytest.mark.parametrize("num_envs", [2, 3, 7])
def test_no_environment_is_paid_its_own_influence(num_envs):
    number = jnp.broadcast_to(jnp.arange(num_envs)[:, None], (1, num_envs, 1))
    seen = set()
    for seed in range(40):
        source = CONTROLS["shuffled"](jax.random.key(seed), number, None, None, None)[0, :, 0]
        assert sorted(source.tolist()) == list(range(num_envs)) and (source != jnp.arange(num_envs)).all()
        seen.add(tuple(source.tolist()))
    assert len(seen) == {2: 1, 3: 2}.get(num_envs, len(seen)) and len(seen) > (num_envs > 2)
