"""Shared pytrees."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.config import Hyperparams, declared
from influence_jax.envs import make
from influence_jax.types import NetworkSpec, TimeStep


def test_an_episode_ends_by_termination_or_truncation():
    nothing = dict.fromkeys(field.name for field in dataclasses.fields(TimeStep))
    truncated, discount = jnp.array([False, True, False, True]), jnp.array([1.0, 1.0, 0.0, 0.0])
    timestep = TimeStep(**nothing | {"truncated": truncated, "discount": discount})
    np.testing.assert_array_equal(timestep.last, [False, True, True, True])


def test_arrays_are_shown_by_their_shapes():
    """Also where they are traced, and in trees of something else."""
    env, shown = make("harvest", num_agents=2, view_radius=1), []
    state, timestep = env.reset(jax.random.key(0), env.default_params)
    text = (
        "TimeStep(observation=uint8[2,3,3,3], reward=float32[2], discount=float32[], first=bool[], truncated=bool[], "
        "visible=bool[2,2], metrics=4 arrays of 8 numbers)"
    )
    jax.vmap(lambda timestep: shown.append(repr(timestep)))(jax.tree.map(lambda x: x[None], timestep))
    assert [repr(timestep), *shown] == [text, text]
    assert "time=int32[]" in repr(state) and len(repr(state)) < 200
    assert "reward=0, " in repr(jax.tree.map(lambda _: 0, timestep))


def test_hyperparameters_are_a_pytree_of_their_numbers():
    hparams = Hyperparams(own={"care": 0.5})
    leaves, tree = jax.tree.flatten(hparams)
    assert leaves == [*(value for _, _, value in declared(hparams)), 0.5]
    doubled = jax.jit(lambda h: jax.tree.map(lambda x: 2 * x, h))(hparams)
    assert isinstance(doubled, Hyperparams) and doubled.discount == np.float32(2 * hparams.discount)
    assert tree.unflatten(leaves) == hparams


def test_agents_that_talk_have_a_head_for_it():
    assert NetworkSpec(num_actions=9).heads == ("action",)
    assert NetworkSpec(num_actions=9, num_messages=4).heads == ("action", "message")
