"""One update, seen from outside: independent agents, rewards, and reused activations."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.config import Hyperparams
from influence_jax.learner import train
from influence_jax.learner.learner import make_learner
from influence_jax.learner.rollout import OBSERVED_REWARD_SCALE, rollout
from influence_jax.learner.update import update, with_exploration
from tests.influence.worlds import louder
from tests.learner.worlds import MODELS, probe_config, start_of, step_of, weighted


@pytest.mark.slow
@pytest.mark.parametrize("model", ["basic", "communication", "moa"])
def test_a_baseline_learns_the_same_without_measuring_influence(model):
    """Acting is also cheaper: the exponentials of the counterfactuals are gone."""
    config = probe_config(model=model, hyperparams=Hyperparams(influence_weight=0.0))
    silent = dataclasses.replace(config, influence=dataclasses.replace(config.influence, measure="none"))
    run, costs = {}, {}
    for name, learner in (("measured", make_learner(config)), ("silent", make_learner(silent))):
        state = jax.jit(functools.partial(train.init, learner))(jax.random.key(0))
        run[name] = jax.jit(lambda s, learner=learner: update(learner, s, 100.0))(state)
        acting = jax.jit(lambda s, learner=learner: rollout(learner, s.member, s.rollout_state, 5, s.key))
        costs[name] = acting.lower(state).compile().cost_analysis()["transcendentals"]
    (measured, logs), (unmeasured, silence) = run["measured"], run["silent"]
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), measured.params, unmeasured.params
    )
    assert logs["influence"].value() > 0 and silence["influence"].value() == 0
    assert costs["silent"] < 0.9 * costs["measured"]


def test_agents_learn_alone(state, step):
    """Changing agent 0's value head changes only its own parameters after an update; the others' are equal bit for bit."""
    moved = jax.tree.map(lambda x: x, state.params)
    moved["value_head"]["bias"] = moved["value_head"]["bias"].at[0].add(5.0)
    before, _ = step(state)
    after, _ = step(state.replace(params=moved))
    assert who_differs(before.params, after.params) == [True, False, False]


def who_differs(params, others):
    """Return for every agent whether any of its parameters differ."""
    differs = jax.tree.map(lambda a, b: jnp.any(a != b, axis=tuple(range(1, a.ndim))), params, others)
    return np.stack(jax.tree.leaves(differs)).any(axis=0).tolist()


@pytest.mark.slow
def test_agents_that_share_parameters_learn_from_the_mean_of_their_gradients():
    """Adam's first moment after one step is a tenth of the gradient."""
    config = probe_config().override(reward_scaling="none", max_grad_norm=1e6)
    alone, together = (make_learner(config.override(share_parameters=shared)) for shared in (False, True))
    state = start_of(together)
    assert who_differs(state.params, start_of(alone).params) == [False, True, True]
    own, shared = (step_of(learner)(state)[0] for learner in (alone, together))
    assert who_differs(own.params, first_of_all(own.params)) == [False, True, True]
    means = jax.tree.map(lambda x: jnp.broadcast_to(x.mean(axis=0), x.shape), own.opt_state[0].mu)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7), shared.opt_state[0].mu, means)
    clipped, _ = step_of(together)(with_clip(state, 1e-3))
    policy = {name: x for name, x in clipped.opt_state[0].mu.items() if name not in ("critic", "value_head")}
    policy = {name: x for name, x in policy.items() if not name.startswith("moa")}
    norms = jnp.sqrt(sum(jnp.square(x).sum(axis=range(1, x.ndim)) for x in jax.tree.leaves(policy)))
    np.testing.assert_allclose(norms, 1e-4, rtol=1e-3)


def with_clip(state, norm):
    norms = jnp.full_like(state.hyperparams.max_grad_norm, norm)
    return state.replace(hyperparams=state.hyperparams.replace(max_grad_norm=norms))


def first_of_all(params):
    return jax.tree.map(lambda x: jnp.broadcast_to(x[0], x.shape), params)


def test_shared_parameters_stay_the_same():
    """To the bit, with minibatches that differ from agent to agent."""
    learner = make_learner(probe_config().override(share_parameters=True, algorithm="ppo", ppo_minibatches=2))
    state = start_of(learner)
    for _ in range(3):
        state, _ = step_of(learner)(state)
    moments = state.reward_scale["action"].mean, state.reward_scale["action"].square
    for part in (state.params, state.opt_state, moments):
        assert who_differs(part, first_of_all(part)) == [False] * 3
    assert any(
        np.any(x != y) for x, y in zip(*map(jax.tree.leaves, (state.params, start_of(learner).params)), strict=True)
    )


def test_agent_0_alone_is_paid_and_nobody_else_notices(state, step):
    """The others' rewards, and what they learn in this update, are equal bit for bit."""
    state = state.replace(params=louder(state.params), update=jnp.int32(99))
    unpaid, paid = (step(weighted(state, jnp.array(weights)))[0] for weights in ([0.0, 0, 0], [50.0, 0, 0]))
    assert who_differs(unpaid.params, paid.params) == [True, False, False]
    changed = unpaid.reward_scale["action"].square != paid.reward_scale["action"].square
    assert changed.tolist() == [True, False, False]


def test_agents_observe_the_rewards_that_they_learn_from():
    """While fines are softened, those observed are as well: at first no reward is below -1, and no sum below -1 / (1 - .965)."""
    config = probe_config("Fines", "independent").override(
        shaper="inequity_averse", observe_rewards=True, fine_softening=1.0, **{"env.params.hit_rate": 0.9}
    )

    def observed(trajectory):
        return {"seen_fines": trajectory.observation.extra < -30 / OBSERVED_REWARD_SCALE}

    learner = dataclasses.replace(make_learner(config), metrics=(observed,))
    _, logs = step_of(learner)(start_of(learner))
    assert logs["step_reward"].value() < -10 and float(logs["seen_fines"].value().sum()) == 0


def test_what_is_frozen_stays_as_it_was(state, step):
    """For good, even if its numbers would become finite again under the schedules of a longer run."""
    after, logs = step(state.replace(failure=jnp.int32(3)))
    assert int(after.failure) == 3 and int(after.update) == 0 and float(logs["policy_loss"].count) == 0
    jax.tree.map(np.testing.assert_array_equal, after.params, state.params)


def test_influence_is_paid_and_a_baseline_shares_its_noise(state, step):
    paid, logs = step(state.replace(update=jnp.int32(50)))
    unpaid, others = step(weighted(state.replace(update=jnp.int32(50)), 0.0))
    np.testing.assert_array_equal(paid.rollout_state.timestep.observation, unpaid.rollout_state.timestep.observation)
    assert logs["influence"].value() == others["influence"].value() > 0
    assert any(
        jnp.any(a != b) for a, b in zip(jax.tree.leaves(paid.params), jax.tree.leaves(unpaid.params), strict=True)
    )


def test_exploration_fades_over_its_part_of_the_run():
    hparams = Hyperparams(entropy_coef=0.25, message_entropy_coef=0.5, exploration=1.0, exploration_fraction=0.5)
    seen = [with_exploration(hparams, jnp.float32(progress)) for progress in (0, 0.25, 0.5, 1)]
    assert [float(h.entropy_coef) for h in seen] == [1.25, 0.75, 0.25, 0.25]
    assert [float(h.message_entropy_coef) for h in seen] == [1.5, 1.0, 0.5, 0.5]


@pytest.mark.parametrize(
    ("name", "algorithm", "shaper", "critic"),
    [
        pytest.param("basic", "a2c", "prosocial", "separate", marks=pytest.mark.slow),
        ("communication", "a2c", "individual", "separate"),
        pytest.param("communication", "ppo", "individual", "shared", marks=pytest.mark.slow),
        pytest.param("moa", "ppo", "inequity_averse", "shared", marks=pytest.mark.slow),
        pytest.param("moa", "a2c", "individual", "separate", marks=pytest.mark.slow),
        pytest.param("intervention", "a2c", "individual", "separate", marks=pytest.mark.slow),
        pytest.param("intervention", "ppo", "individual", "shared", marks=pytest.mark.slow),
    ],
)
def test_every_model_learns_something_from_its_influence(name, algorithm, shaper, critic):
    """One update is finite and differs from that of the ablation, which is the same program with weight 0."""
    config = probe_config(influence=MODELS[name])
    config = dataclasses.replace(config, network=dataclasses.replace(config.network, critic=critic))
    ppo = {"ppo_epochs": 2, "ppo_minibatches": 2} if algorithm == "ppo" else {}
    rules = dataclasses.replace(config.learner, algorithm=algorithm, shaper=shaper, **ppo)
    learner = make_learner(dataclasses.replace(config, learner=rules))
    state = jax.jit(functools.partial(train.init, learner))(jax.random.key(0))
    run = jax.jit(lambda state: update(learner, state, 10.0))
    paid, logs = run(weighted(state, 100.0))
    unpaid, _ = run(weighted(state, 0.0))
    assert all(jnp.isfinite(x).all() for x in jax.tree.leaves(paid.params))
    moved = jax.tree.map(lambda a, b: bool(jnp.any(a != b)), state.params, paid.params)
    assert all(any(jax.tree.leaves(part)) for part in moved.values())
    assert ("grad_norm_critic" in logs and logs["grad_norm_critic"].value() > 0) == (critic == "separate")
    assert logs["influence"].value() > 0 and logs["mutual_information"].value() > 0
    differs = jax.tree.map(lambda a, b: bool(jnp.any(a != b)), paid.params, unpaid.params)
    assert any(jax.tree.leaves(differs))
    if name == "communication":
        # Only the message head is paid for influence: the first gradient step of the action head is the same.
        assert any(jax.tree.leaves(differs["message_head"]))
        if algorithm == "a2c":
            assert not any(jax.tree.leaves(differs["action_head"]))
