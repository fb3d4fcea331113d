"""Rewards: influence next to the environment's rewards, for which agents, and in which units."""

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
from influence_jax.learner.pay import in_units, paid
from influence_jax.learner.rollout import rollout
from influence_jax.learner.update import update
from tests.influence.worlds import louder
from tests.learner.worlds import MODELS, probe_config, start_of


def paid_a_share(control, share=0.2, **influence):
    """A step that acts and pays, and the state of agents whose pay for influence, or for a control, is a share of income."""
    model = dataclasses.replace(MODELS["basic"], pay="income_share", control=control, **influence)
    learner = make_learner(probe_config(influence=model, hyperparams=Hyperparams(income_share=share)))
    state = start_of(learner)

    @jax.jit
    def step(state):
        key = jax.random.fold_in(state.key, state.update)
        rollout_state, trajectory, bootstrap = rollout(learner, state.member, state.rollout_state, 5, key)
        pay = paid(learner, state, trajectory, bootstrap, 0.0, key)
        after = state.replace(rollout_state=rollout_state, income=pay.income, update=state.update + 1)
        return after, pay, trajectory.actor_output

    return step, state.replace(params=louder(state.params))


def test_pay_for_influence_is_a_share_of_income():
    step, state = paid_a_share("none")
    bonus, earned = [], []
    for _ in range(60):
        state, pay, _ = step(state)
        bonus.append(np.sum(pay.influence_weight * pay.influence))
        earned.append(np.sum(pay.shaped))
    assert np.std(earned) > 0.1 * np.mean(earned)  # it is not only that nothing varies
    np.testing.assert_allclose(np.sum(bonus) / np.sum(earned), 0.2, rtol=0.1)


def test_a_control_is_paid_the_same_share_of_income():
    step, state = paid_a_share("mi")
    _, pay, output = step(state)
    influence, information = output.influence.sum(), output.mutual_information.sum()
    assert information < 0.9 * influence or information > 1.1 * influence
    np.testing.assert_allclose(np.sum(pay.influence), information, rtol=1e-4)
    np.testing.assert_allclose(np.sum(pay.influence_weight * pay.influence), 0.2 * np.sum(pay.shaped), rtol=1e-4)


def test_a_bonus_is_paid_for_the_named_actions():
    step, state = paid_a_share("act_bonus", bonus_actions=("answer_1", "answer_2"))
    _, pay, output = step(state)
    acts = np.isin(output.action[..., 0], (1, 2))
    assert 0 < acts.sum() < acts.size
    np.testing.assert_array_equal(pay.influence[..., 0] > 0, acts)  # agent 0 is the influencer


@pytest.mark.parametrize(
    ("name", "credit", "rewarded"),
    [("basic", "cause", 3), ("communication", "cause", 2), ("communication", "effect", 3), ("moa", "cause", 3)],
)
def test_influence_of_one_step_moves_one_reward(name, credit, rewarded):
    """Agent 0 influences agent 2 at step 3 of environment 1: exactly one reward of one agent changes.

    Communication pays the message of step 2 that was heard at step 3 ("cause"), or the message sent at step 3 ("effect").
    """
    learner = make_learner(probe_config(influence=dataclasses.replace(MODELS[name], credit=credit)))
    state = jax.eval_shape(functools.partial(train.init, learner), jax.random.key(0))
    kinds = jax.eval_shape(lambda s: rollout(learner, s.member, s.rollout_state, 5, s.key)[1:], state)
    trajectory, bootstrap = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), kinds)
    trajectory = trajectory.replace(valid=jnp.ones((5, 4), bool), discount=jnp.ones((5, 4)))  # within an episode
    influence = jax.random.uniform(jax.random.key(1), trajectory.actor_output.influence.shape)

    def reward(influence):
        played = trajectory.replace(actor_output=trajectory.actor_output.replace(influence=influence))
        return controlled_influence_reward(
            learner.model, learner.control, jax.random.key(0), played, bootstrap, Hyperparams()
        )

    before, after = reward(influence), reward(influence.at[3, 1, 0, 2].add(1.0))
    np.testing.assert_array_equal(np.argwhere(np.abs(after - before) > 0.5), [[rewarded, 1, 0]])
    np.testing.assert_allclose((after - before)[rewarded, 1, 0], 1.0, atol=1e-5)


@pytest.mark.slow
def test_a_game_paid_in_cents_is_learned_like_one_paid_in_euros():
    """The weights of entropy, influence and the model of others are in units of reward, and are scaled with the rewards."""
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
    weights = {"entropy_coef": 0.4, "message_entropy_coef": 0.6, "moa_loss_weight": 8.0, "listening_weight": 2.0}
    hparams = Hyperparams(**weights)
    divided = in_units(hparams, {"action": 4.0, "message": 3.0})
    found = [float(getattr(divided, name)) for name in weights]
    np.testing.assert_allclose(found, [0.1, 0.2, 2.0, 0.5], rtol=1e-6)
    nothing = dict.fromkeys(weights, 0.0)
    assert divided.replace(**nothing) == hparams.replace(**nothing)
