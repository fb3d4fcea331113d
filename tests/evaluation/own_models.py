"""Custom influence models that wrap built-in ones, and a game that ends early."""

import dataclasses

import jax.numpy as jnp

from influence_jax import influence
from influence_jax.envs.probes import Stipend


def basic(*args):
    return dataclasses.replace(influence.MODELS["basic"](*args))


def moa(*args):
    return dataclasses.replace(influence.MODELS["moa"](*args))


class Short(Stipend):
    """Ends after three of its ten steps."""

    def dynamics(self, state, actions, noise, params):
        state, reward, discount, metrics = super().dynamics(state, actions, noise, params)
        return state, reward, jnp.where(state.time >= 3, 0.0, discount), metrics
