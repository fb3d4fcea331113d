"""A network small enough for many tests, with large random parameters."""

import jax

from influence_jax.config import NetworkConfig
from influence_jax.networks.agent import AgentNetwork, NetworkFunctions
from influence_jax.types import NetworkSpec

SMALL = NetworkConfig(conv_channels=2, hidden_size=5, core_size=7, critic="shared")


def network(sizes=SMALL, **spec) -> NetworkFunctions:
    return NetworkFunctions(AgentNetwork(sizes, NetworkSpec(**spec)))


def random_params(functions):
    """Parameters of order one for views of 5 x 5 cells."""
    return louder(jax.eval_shape(lambda: functions.init(jax.random.key(0), (5, 5, 3))))


def louder(params, seed=0):
    """Parameters of order one everywhere, biases included, so that no test passes because something is zero."""
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    return tree.unflatten([0.5 * jax.random.normal(k, x.shape) for k, x in zip(keys, leaves, strict=True)])
