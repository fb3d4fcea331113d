"""One update seen from outside: independence of the agents, what is paid, what is recalled."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.config import Hyperparams
from influence_jax.influence.controls import controlled_influence_reward
from influence_jax.learner import train
from influence_jax.learner.learner import make_learner
from influence_jax.learner.rollout import rollout
from influence_jax.learner.update import in_units, update, with_exploration
from tests.influence.worlds import louder
from tests.learner.worlds import MODELS, probe_config, weighted


@pytest.mark.slow
@pytest.mark.parametrize("model", ["basic", "communication", "moa"])
def test_a_baseline_learns_the_same_without_measuring_influence(model):
    """And it is cheaper: all exponentials of the counterfactuals are gone."""
    config = probe_config(model=model, hyperparams=Hyperparams(influence_weight=0.0))
    silent = dataclasses.replace(config, influence=dataclasses.replace(config.influence, measure="none"))
    run, costs = {}, {}
    for name, learner in (("measured", make_learner(config)), ("silent", make_learner(silent))):
        state = jax.jit(functools.partial(train.init, learner))(jax.random.key(0))
        program = jax.jit(lambda s, learner=learner: update(learner, s, 100.0)).lower(state).compile()
        run[name], costs[name] = program(state), program.cost_analysis()["transcendentals"]
    (measured, logs), (unmeasured, silence) = run["measured"], run["silent"]
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), measured.params, unmeasured.params
    )
    assert logs["influence"].value() > 0 and silence["influence"].value() == 0
    assert costs["silent"] < 0.9 * costs["measured"]


def test_agents_learn_alone(learner, state, step):
    """Another value head for agent 0 changes its own parameters after an update, and nobody else's, to the bit."""
    moved = jax.tree.map(lambda x: x, state.params)
    moved["value_head"]["bias"] = moved["value_head"]["bias"].at[0].add(5.0)
    before, _ = step(state)
    after, _ = step(state.replace(params=moved))
    changed = jax.tree.leaves(
        jax.tree.map(lambda a, b: jnp.any(a != b, axis=tuple(range(1, a.ndim))), before.params, after.params)
    )
    changed = np.stack(changed).any(axis=0)
    np.testing.assert_array_equal(changed, [True, False, False])


def test_what_is_frozen_stays_as_it_was(state, step):
    """For good: also where its numbers would be finite again, as they may be under the schedules of a longer run."""
    after, logs = step(state.replace(failure=jnp.int32(3)))
    assert int(after.failure) == 3 and int(after.update) == 0 and float(logs["policy_loss"].count) == 0
    jax.tree.map(np.testing.assert_array_equal, after.params, state.params)


def test_influence_is_paid_and_a_baseline_shares_its_noise(learner, state, step):
    paid, logs = step(state.replace(update=jnp.int32(50)))
    unpaid, others = step(weighted(state.replace(update=jnp.int32(50)), 0.0))
    np.testing.assert_array_equal(paid.rollout_state.timestep.observation, unpaid.rollout_state.timestep.observation)
    assert logs["influence"].value() == others["influence"].value() > 0
    assert any(
        jnp.any(a != b) for a, b in zip(jax.tree.leaves(paid.params), jax.tree.leaves(unpaid.params), strict=True)
    )


def paid_a_share(control, share=0.2):
    """``(learner, state)`` of agents who respond, and are paid for influence, or for a control, a share of their income."""
    model = dataclasses.replace(MODELS["basic"], pay="income_share", control=control)
    learner = make_learner(probe_config(influence=model, hyperparams=Hyperparams(income_share=share)))
    state = jax.jit(functools.partial(train.init, learner))(jax.random.key(0))
    return jax.jit(lambda state: update(learner, state, 100.0)), state.replace(params=louder(state.params))


def test_pay_for_influence_is_a_share_of_income():
    step, state = paid_a_share("none")
    paid, earned = [], []
    for _ in range(60):
        state, logs = step(state)
        logs = {name: float(mean.value()) for name, mean in logs.items() if name in SHARES}
        paid.append(logs["current_influence_weight"] * logs["influence"])
        earned.append(logs["step_reward"] / 3)
    assert np.std(earned) > 0.1 * np.mean(earned)  # it is not only that nothing varies
    np.testing.assert_allclose(np.sum(paid) / np.sum(earned), 0.2, rtol=0.1)


SHARES = ("current_influence_weight", "influence", "mutual_information", "step_reward")


def test_a_control_is_paid_the_same_share_of_income():
    step, state = paid_a_share("mi")
    logs = {name: float(mean.value()) for name, mean in step(state)[1].items() if name in SHARES}
    assert logs["mutual_information"] < 0.9 * logs["influence"] or logs["mutual_information"] > 1.1 * logs["influence"]
    paid = logs["current_influence_weight"] * logs["mutual_information"]
    np.testing.assert_allclose(paid, 0.2 * logs["step_reward"] / 3, rtol=1e-4)


def test_exploration_fades_over_its_part_of_the_run():
    hparams = Hyperparams(entropy_coef=0.25, message_entropy_coef=0.5, exploration=1.0, exploration_fraction=0.5)
    seen = [with_exploration(hparams, jnp.float32(progress)) for progress in (0, 0.25, 0.5, 1)]
    assert [float(h.entropy_coef) for h in seen] == [1.25, 0.75, 0.25, 0.25]
    assert [float(h.message_entropy_coef) for h in seen] == [1.5, 1.0, 0.5, 0.5]


@pytest.mark.parametrize(
    ("name", "algorithm", "shaper"),
    [
        ("basic", "a2c", "prosocial"),
        ("communication", "a2c", "individual"),
        pytest.param("communication", "ppo", "individual", marks=pytest.mark.slow),
        ("moa", "ppo", "inequity_averse"),
        pytest.param("intervention", "a2c", "individual", marks=pytest.mark.slow),
        pytest.param("intervention", "ppo", "individual", marks=pytest.mark.slow),
    ],
)
def test_every_model_learns_something_from_its_influence(name, algorithm, shaper):
    """One update is finite and differs from that of the ablation, which is the same program with weight 0."""
    config = probe_config(influence=MODELS[name])
    ppo = {"ppo_epochs": 2, "ppo_minibatches": 2} if algorithm == "ppo" else {}
    rules = dataclasses.replace(config.learner, algorithm=algorithm, shaper=shaper, **ppo)
    learner = make_learner(dataclasses.replace(config, learner=rules))
    state = jax.jit(functools.partial(train.init, learner))(jax.random.key(0))
    run = jax.jit(lambda state: update(learner, state, 10.0))
    paid, logs = run(weighted(state, 100.0))
    unpaid, _ = run(weighted(state, 0.0))
    assert all(jnp.isfinite(x).all() for x in jax.tree.leaves(paid.params))
    assert logs["influence"].value() > 0 and logs["mutual_information"].value() > 0
    differs = jax.tree.map(lambda a, b: bool(jnp.any(a != b)), paid.params, unpaid.params)
    assert any(jax.tree.leaves(differs))
    if name == "communication":
        # Only the message head is paid for influence: the first gradient step of the action head is the same.
        assert any(jax.tree.leaves(differs["message_head"]))
        if algorithm == "a2c":
            assert not any(jax.tree.leaves(differs["action_head"]))


@pytest.mark.parametrize(
    ("name", "credit", "rewarded"),
    [("basic", "cause", 3), ("communication", "cause", 2), ("communication", "effect", 3), ("moa", "cause", 3)],
)
def test_influence_of_one_step_moves_one_reward(name, credit, rewarded):
    """Agent 0 influences agent 2 at step 3 of environment 1: exactly one reward of one agent changes.

    Communication pays the message of step 2 that was heard at step 3 ("cause"), or the message sent at step 3 ("effect").
    """
    learner = make_learner(probe_config(influence=dataclasses.replace(MODELS[name], credit=credit)))
    state = jax.jit(functools.partial(train.init, learner))(jax.random.key(0))
    run = jax.jit(lambda m, s: rollout(learner, m, s, 5, state.key))
    _, trajectory, bootstrap = run(state.member, state.rollout_state)
    influence = trajectory.actor_output.influence
    changed = trajectory.replace(
        actor_output=trajectory.actor_output.replace(influence=influence.at[3, 1, 0, 2].add(1.0))
    )
    before, after = (
        controlled_influence_reward(learner.model, learner.control, jax.random.key(0), x, bootstrap, 0.0)
        for x in (trajectory, changed)
    )
    np.testing.assert_array_equal(np.argwhere(np.abs(after - before) > 0.5), [[rewarded, 1, 0]])
    np.testing.assert_allclose((after - before)[rewarded, 1, 0], 1.0, atol=1e-5)


SLOWLY = ("moa", "intervention")


@pytest.mark.parametrize(
    "model", [pytest.param(model, marks=[pytest.mark.slow] if model in SLOWLY else []) for model in MODELS]
)
def test_every_model_learns_with_a_critic_of_its_own(model):
    config = probe_config(influence=MODELS[model])
    config = dataclasses.replace(config, network=dataclasses.replace(config.network, critic="separate"))
    learner = make_learner(config)
    state = jax.jit(functools.partial(train.init, learner))(jax.random.key(0))
    after, logs = jax.jit(lambda state: update(learner, state, 10.0))(state)
    moved = jax.tree.map(lambda a, b: bool(jnp.any(a != b)), state.params, after.params)
    assert all(any(jax.tree.leaves(part)) for part in moved.values())
    assert logs["grad_norm_critic"].value() > 0 and all(jnp.isfinite(x).all() for x in jax.tree.leaves(after.params))


@pytest.mark.slow
def test_a_game_paid_in_cents_is_learned_like_one_paid_in_euros():
    """The weights of entropy, of influence and of the model of others are in rewards, and are scaled where these are."""
    gradients = []
    for unit in (1.0, 100.0):
        config = probe_config(
            hyperparams=Hyperparams(influence_weight=30 * unit, entropy_coef=5 * unit, moa_loss_weight=20 * unit)
        )
        config = dataclasses.replace(
            config,
            env=dataclasses.replace(config.env, params={"reward": 1000 * unit}),
        )
        learner = make_learner(config)
        state = jax.jit(functools.partial(train.init, learner))(jax.random.key(0))
        gradients.append(
            jax.jit(lambda state, learner=learner: update(learner, state, 100.0)[0].opt_state[0].mu)(state)
        )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6), *gradients)


def test_weights_are_divided_by_the_unit_of_their_head():
    hparams = Hyperparams(entropy_coef=0.4, message_entropy_coef=0.6, moa_loss_weight=8.0)
    divided = in_units(hparams, {"action": 4.0, "message": 3.0})
    found = [float(getattr(divided, name)) for name in ("entropy_coef", "message_entropy_coef", "moa_loss_weight")]
    np.testing.assert_allclose(found, [0.1, 0.2, 2.0], rtol=1e-6)
    unchanged = hparams.replace(entropy_coef=0.0, message_entropy_coef=0.0, moa_loss_weight=0.0)
    assert divided.replace(entropy_coef=0.0, message_entropy_coef=0.0, moa_loss_weight=0.0) == unchanged
