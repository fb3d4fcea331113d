"""A random moment in a random game, for tests of the influence models."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.config import NetworkConfig
from influence_jax.networks.agent import AgentNetwork, NetworkFunctions
from influence_jax.types import ActorOutput, TimeStep, Trajectory

N, E, A, V = 3, 4, 5, 5  # agents, environments, actions, width of the view
SIZES = NetworkConfig(conv_channels=2, hidden_size=6, core_size=8, message_embedding=3)


def network_of(model) -> NetworkFunctions:
    return NetworkFunctions(AgentNetwork(SIZES, model.network_spec))


def louder(params, seed=3):
    """Parameters of order one everywhere, biases included, so that no test passes because something is zero."""
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    return tree.unflatten([jax.random.normal(k, x.shape) for k, x in zip(keys, leaves, strict=True)])


def random_agents(network, seed=0):
    """Return ``(params, carry)`` of N agents in E environments."""
    keys = jax.random.split(jax.random.key(seed), N + 1)
    params = jax.eval_shape(jax.vmap(lambda k: network.init(k, (V, V, 3))), keys[:N])
    carry = jax.tree.map(lambda x: jax.random.normal(keys[N], x.shape), network.zero_carry((N, E)))
    return louder(params), carry


def timestep(key, **changes) -> TimeStep:
    """Everybody sees everybody in the middle of an episode."""
    values = {
        "observation": jax.random.randint(key, (E, N, V, V, 3), 0, 256).astype(jnp.uint8),
        "reward": jnp.zeros((E, N)),
        "discount": jnp.ones(E),
        "first": jnp.zeros(E, bool),
        "truncated": jnp.zeros(E, bool),
        "visible": jnp.broadcast_to(~jnp.eye(N, dtype=bool), (E, N, N)),
        "metrics": {},
    }
    return TimeStep(**(values | changes))


@functools.lru_cache(maxsize=8)
def naive_heads(network):
    """One agent's policy heads from pixels, recomputed from scratch."""

    @jax.jit
    def run(params, carry, observation, context):
        gates = network.precompute(params, "policy", carry["policy"], network.encode(params, observation)["policy"])
        heads = network.resolve(params, "policy", carry["policy"], gates, context)[2]
        return {name: jax.nn.softmax(x) for name, x in heads.items() if not name.endswith("value")}

    return run


def divergence(p, q) -> float:
    """Kullback-Leibler divergence in double precision."""
    p, q = np.asarray(p, np.float64), np.asarray(q, np.float64)
    return float((p * (np.log(p) - np.log(q))).sum())


def compare(answers, weights, taken) -> tuple[float, float]:
    """Return influence and mutual information, from all responses and the influencer's own policy."""
    marginal = sum(w * np.asarray(p, np.float64) for w, p in zip(weights, answers, strict=True))
    each = [divergence(p, marginal) for p in answers]
    return each[taken], float(np.dot(weights, each))


def rollout_of(pairs, **changes):
    """A trajectory that holds nothing but influence f32[T,E,K,J]."""
    output = ActorOutput(samples={}, log_policy=None, context=None, influence=pairs, mutual_information=2 * pairs)
    values = dict.fromkeys(field.name for field in dataclasses.fields(Trajectory)) | {"actor_output": output}
    return Trajectory(**(values | changes))


def bootstrap_of(pairs):
    return ActorOutput(samples={}, log_policy=None, context=None, influence=pairs, mutual_information=pairs)
