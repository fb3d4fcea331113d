"""Shared pytrees."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.config import Hyperparams, declared
from influence_jax.types import NetworkSpec, TimeStep


def test_an_episode_ends_by_termination_or_truncation():
    nothing = dict.fromkeys(field.name for field in dataclasses.fields(TimeStep))
    truncated, discount = jnp.array([False, True, False, True]), jnp.array([1.0, 1.0, 0.0, 0.0])
    timestep = TimeStep(**nothing | {"truncated": truncated, "discount": discount})
    np.testing.assert_array_equal(timestep.last, [False, True, True, True])


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
