"""One agent's gradient: from cached activations, and split by loss term."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax import presets
from influence_jax.envs.grid import maps
from influence_jax.learner import train
from influence_jax.learner.agent_update import agent_batches, agent_loss, gradients_by_term
from influence_jax.learner.learner import make_learner
from tests.learner.worlds import played_of, probe_config, start_of


def batches(learner, hparams, trajectory, bootstrap):
    """Return what every agent learns from, with the game's rewards."""
    return agent_batches(
        learner, hparams, trajectory, bootstrap.samples, dict.fromkeys(bootstrap.samples, trajectory.reward)
    )


def gradient(learner, state, batch):
    """Return every agent's gradient, leading N."""
    one = jax.grad(lambda *inputs: agent_loss(inputs[0], learner, *inputs[1:])[0])
    return jax.vmap(one)(state.params, state.hyperparams, batch, state.rollout_state.carry)


@pytest.mark.parametrize(
    "model",
    [*(pytest.param(model, marks=pytest.mark.slow) for model in ("independent", "basic", "communication")), "moa"],
)
def test_gradient_from_what_acting_computed_is_that_of_a_new_forward_pass(model):
    """A2C learns with the parameters that acted, so it reuses the activations of acting."""
    reuses_activations(make_learner(probe_config(model=model)))


@pytest.mark.slow
def test_so_it_is_for_models_that_see_from_where_others_stand_beside_numbers_that_only_the_policy_reads():
    game = {"env.layout": maps.SMALL_HARVEST, "env.num_agents": 3, "env.headings_visible": True}
    sees = {"network.moa_encoder": "perspective", "learner.shaper": "inequity_averse", "learner.observe_rewards": True}
    sizes = {"num_envs": 2, "rollout_length": 6, "conv_channels": 2, "hidden_size": 8, "core_size": 8}
    reuses_activations(make_learner(presets.get("harvest-moa", "paper", **game, **sees, **sizes)))


def reuses_activations(learner):
    """Compare an update's gradient with that of a new forward pass."""

    @jax.jit
    def both(state, trajectory, bootstrap):
        batch = batches(learner, state.hyperparams, trajectory, bootstrap)
        assert batch.activations is not None
        return [gradient(learner, state, x) for x in (batch, batch.replace(activations=None))]

    recalled, anew = both(start_of(learner), *played_of(learner)[1:])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), recalled, anew)
    assert all(np.abs(x).max() > 1e-5 for x in jax.tree.leaves(recalled))


def test_diagnostics_split_the_gradient_by_term(learner, state, played):
    """The terms add up to the whole, and their shares to 1."""

    @jax.jit
    def split(state, trajectory, bootstrap):
        batch = batches(learner, state.hyperparams, trajectory, bootstrap)
        by_term = jax.vmap(functools.partial(gradients_by_term, learner))
        vectors = by_term(state.hyperparams, state.params, batch, state.rollout_state.carry)
        return gradient(learner, state, batch), vectors, train.gradient_shares(vectors)

    whole, vectors, shares = split(state, *played[1:])
    for module in ("encoder", "action_head"):
        parts = {name.split("/")[2]: x for name, x in vectors.items() if name.startswith(f"gradient/{module}/")}
        assert parts.keys() == {"policy", "value", "entropy", "auxiliary"}
        flat = jnp.concatenate([x.reshape(len(x), -1) for x in jax.tree.leaves(whole[module])], axis=1)
        np.testing.assert_allclose(sum(parts.values()), flat, rtol=1e-4, atol=1e-6)
        assert abs(sum(shares[f"gradient_share_{module}_{term}"] for term in parts) - 1) < 1e-5
    assert shares["gradient_share_action_head_value"] == 0 and shares["gradient_share_encoder_auxiliary"] > 0


def test_diagnostics_are_reported():
    learner = make_learner(probe_config(model="independent").override(diagnostics=True))
    _, logs = jax.eval_shape(lambda key: train.train_step(learner, train.init(learner, key), 10.0), jax.random.key(0))
    shares = {f"gradient_share_{x}_{y}" for x in ("encoder", "action_head") for y in ("policy", "value", "entropy")}
    assert {name for name in logs if name.startswith("gradient_share_")} == shares
