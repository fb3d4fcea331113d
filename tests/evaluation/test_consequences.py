"""What choices change later, against a loop over agents, choices and steps, one world at a time."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.config import ConfigError, InfluenceConfig
from influence_jax.evaluation.consequences import Consequences, consequences, of_moment
from influence_jax.evaluation.intervention import NUM_ENVS
from influence_jax.learner.learner import make_learner
from influence_jax.learner.rollout import act, init_rollout, rollout
from influence_jax.learner.state import RolloutState
from influence_jax.runtime.population import init_population
from tests.influence.worlds import compare, louder
from tests.learner.worlds import probe_config

E, N, A, STEPS = 2, 3, 3, 4  # the episode is over at the fourth
KEY = jax.random.key(3)


@pytest.fixture(scope="module")
def learner():
    """Three agents who see their own cues, and are told what the others did."""
    return make_learner(probe_config(model="independent", influence=InfluenceConfig(visible_actions=True)))


@pytest.fixture(scope="module")
def start(learner):
    """Agents that react to what they are told, two steps into an episode of six."""
    state = init_population(learner)
    params = louder(state.params)
    heads = {"action_head": jax.tree.map(lambda x: 0.5 * x, params["action_head"])}  # or they would be sure what to do
    core = params["policy"]["core"]
    heard = core["input_kernel"].at[:, :8].multiply(0.2).at[:, 8:].multiply(2.0)
    core = core | {"input_kernel": heard, "recurrent_kernel": 0.2 * core["recurrent_kernel"]}
    params = params | heads | {"policy": params["policy"] | {"core": core}}
    member = jax.tree.map(lambda x: x[0], dataclasses.replace(state.member, params=params))
    now = init_rollout(learner, member.env_params, jax.random.key(1), E, staggered=False)
    return member, jax.jit(lambda m, s: rollout(learner, m, s, 2, jax.random.key(2))[0])(member, now)


@pytest.fixture(scope="module")
def found(learner, start):
    look = jax.jit(functools.partial(of_moment, learner, STEPS))
    return lambda member: jax.device_get(look(member, start[1], KEY))


@pytest.fixture(scope="module")
def by_hand(learner, start):
    """Influence, null and changes ``[E,H,K,J]``."""
    member, before = start
    (act_key, noise_key), luck_key = jax.random.split(KEY), jax.random.fold_in(KEY, 2)
    env = learner.env
    acting = jax.jit(functools.partial(act, learner))
    moving = jax.jit(jax.vmap(env.transition, in_axes=(0, 0, 0, None)))
    draw = jax.jit(jax.vmap(env.sample_noise, in_axes=(0, None)))
    nobody = jnp.full((E, N), -1, jnp.int32)

    def play(first, later=None):
        """Return policies, values and rewards so far, [H,E,N,...]."""
        output, carry, memory = acting(member, before, jax.random.fold_in(act_key, 0), {"action": first})
        now, earned, seen = before, np.zeros((E, N)), []
        for h in range(1, STEPS + 1):
            noise = draw(jax.random.split(jax.random.fold_in(noise_key, h), E), member.env_params)
            state, after = moving(now.env_state, output.action, noise, member.env_params)
            now = RolloutState(state, after, carry, memory, before.shaper_state)
            key, forced = jax.random.fold_in(act_key, h), nobody
            if later is not None:
                forced = later(h, acting(member, now, key, {"action": nobody})[0].log_policy["action"])
            output, carry, memory = acting(member, now, key, {"action": forced})
            earned = earned + np.asarray(after.reward)
            seen.append((np.exp(output.log_policy["action"]), output.samples["action"].value, earned))
        return [np.array(x) for x in zip(*seen, strict=True)]

    output = acting(member, before, jax.random.fold_in(act_key, 0), {"action": nobody})[0]
    chosen, weights = np.asarray(output.action), np.exp(output.log_policy["action"])
    real = play(nobody)
    expected = {name: np.zeros((E, STEPS, N, N)) for name in ("influence", "null", "reward_change", "value_change")}
    for k in range(N):
        tried = [play(nobody.at[:, k].set(c)) for c in range(A)]

        def lucky(number, k=k):
            def later(h, policy):
                key = jax.random.fold_in(jax.random.fold_in(jax.random.fold_in(luck_key, number), h), 0)
                symbol = jax.random.categorical(key, policy[:, k]).astype(jnp.int32)
                return nobody.at[:, k].set(jnp.where(chosen[:, k] == number, -1, symbol))

            return play(nobody, later)

        others = [lucky(number) for number in range(A)]
        for e, h, j in np.ndindex(E, STEPS - 1, N):
            share, taken, at = weights[e, k], chosen[e, k], (h, e, j)
            if j != k:
                expected["influence"][e, h, k, j] = compare([world[0][at] for world in tried], share, taken)[0]
                expected["null"][e, h, k, j] = compare([world[0][at] for world in others], share, taken)[0]
            for name, which in (("value_change", 1), ("reward_change", 2)):
                mean = sum(p * world[which][at] for p, world in zip(share, tried, strict=True))
                expected[name][e, h, k, j] = real[which][at] - mean
    return expected


def test_worlds_are_those_of_a_loop(start, found, by_hand):
    seen = found(start[0])
    for name, expected in by_hand.items():
        np.testing.assert_allclose(seen[name], expected, atol=1e-5, err_msg=name)
        assert np.abs(expected).max() > 1e-3, "the reference must have something to find"
    counted = (np.arange(STEPS) < STEPS - 1)[:, None, None] & ~np.eye(N, dtype=bool)
    np.testing.assert_array_equal(seen["counted"], np.broadcast_to(counted, (E, STEPS, N, N)))
    np.testing.assert_array_equal(seen["visible"], start[1].timestep.visible)


def test_luck_comes_after_the_choice(start, found):
    null = found(start[0])["null"]
    np.testing.assert_allclose(null[:, 0], 0.0, atol=1e-6)
    assert null[:, 1:].max() > 1e-3


def test_nobody_is_changed_who_is_told_nothing(start, found):
    """The cues of a probe do not depend on what anybody does."""
    member = start[0]
    core = member.params["policy"]["core"]
    deaf = core | {"input_kernel": core["input_kernel"].at[:, 8:].set(0.0)}
    policy = member.params["policy"] | {"core": deaf}
    seen = found(dataclasses.replace(member, params=member.params | {"policy": policy}))
    for name in ("influence", "null"):
        np.testing.assert_allclose(seen[name], 0.0, atol=1e-6)
    for k in range(N):
        others = [j for j in range(N) if j != k]
        np.testing.assert_allclose(seen["reward_change"][:, :, k, others], 0.0, atol=1e-6)
        assert np.abs(seen["reward_change"][:, :, k, k]).max() > 1e-3


@pytest.mark.slow
def test_moments_of_every_member(learner):
    found = consequences(learner, init_population(learner), steps=2, num_moments=1)
    assert found.influence.shape == found.counted.shape == (1, NUM_ENVS, 2, N, N)
    assert found.counted.any() and found.visible.shape == (1, NUM_ENVS, N, N)


def test_a_row_for_each_member_and_step():
    change = np.arange(8.0).reshape(1, 1, 2, 2, 2)
    counted = np.broadcast_to(~np.eye(2, dtype=bool), change.shape) & (np.arange(2) < 1)[:, None, None]
    found = Consequences(change, 2 * change, -change, change, counted, counted[:, :, 0])
    first, second = found.rows()
    expected = {"pairs": 2, "influence": 1.5, "null": 3.0, "reward_change": 1.5, "value_change": 1.5}
    assert first == {"member": 0, "steps": 1} | expected
    assert second["steps"] == 2 and second["pairs"] == 0 and np.isnan(second["influence"])
    assert found._repr_html_().count("<tr>") == 3
    played = "1 moments of each of 1 members with 2 agents"
    assert repr(found) == f"Consequences in {played}, influence 1.5 after 1 step, none after 2"


def test_what_cannot_be_looked_at_is_refused(learner):
    state = init_population(learner)
    with pytest.raises(ConfigError, match="steps is 6; allowed: whole numbers from 1 to 5"):
        consequences(learner, state, steps=6)
    silent = make_learner(probe_config(model="basic", influence=InfluenceConfig(model="basic", measure="none")))
    with pytest.raises(ConfigError, match=r"influence\.measure is 'none'"):
        consequences(silent, state)
