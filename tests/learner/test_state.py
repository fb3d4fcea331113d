"""The state that acting needs."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.config import Hyperparams
from influence_jax.learner.state import LearnerState, Member


def test_a_member_acts_with_its_own_parameters_and_numbers():
    """Also where members are stacked and vmapped."""
    nothing = dict.fromkeys(field.name for field in dataclasses.fields(LearnerState))
    own = {"params": {"x": jnp.arange(6.0).reshape(2, 3)}, "env_params": jnp.arange(2.0)}
    own |= {"hyperparams": Hyperparams(discount=jnp.array([0.5, 0.9]))}
    state = LearnerState(**nothing | own)
    jax.tree.map(np.testing.assert_array_equal, state.member, Member(**own))
    assert repr(state.member).startswith(
        "Member(params=1 array of 6 numbers, env_params=float32[2], hyperparams=1 array of 2"
    )
    assert repr(state).startswith("LearnerState(params=1 array of 6 numbers, opt_state=None, ")
    rates = jax.vmap(lambda state: state.member.hyperparams.discount * state.member.env_params, axis_size=2)(
        jax.tree.map(lambda x: jnp.broadcast_to(x, (2, *jnp.shape(x)[1:])), state)
    )
    assert rates.tolist() == [0.0, jnp.float32(0.9)]
