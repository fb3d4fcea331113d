"""A textbook recurrent PPO for independent agents, to compare our learner with: no part of it is tuned to these games.

Schulman et al. (2017) with the details that the literature calls standard (Huang et al. 2022): one network for policy and value,
orthogonal initialisation, Adam with epsilon 1e-5, four epochs of four minibatches, a global gradient clip of 0.5, advantages
normalised by minibatch, a clipped value loss, an entropy weight of 0.01, rewards as the game pays them.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn

from influence_jax.envs.base import Environment
from influence_jax.learner.sight import sight
from influence_jax.networks.encoder import ConvEncoder

ENVS, STEPS, EPOCHS, MINIBATCHES = 64, 128, 4, 4
DISCOUNT, LAMBDA, CLIP, ENTROPY, RATE = 0.99, 0.95, 0.2, 0.01, 1e-3


class ActorCritic(nn.Module):
    """Convolution, dense layer and GRU of one agent, time first; the GRU starts anew with each episode."""

    num_actions: int

    @nn.compact
    def __call__(self, hidden: jax.Array, image: jax.Array, first: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Return ``(hidden f32[E,H], logits f32[T,E,A], value f32[T,E])`` of ``image u8[T,E,V,V,3]`` and ``first bool[T,E]``."""

        def dense(units, scale):
            return nn.Dense(units, kernel_init=nn.initializers.orthogonal(scale))

        def step(cell, hidden, now):
            features, first = now
            hidden, _ = cell(jnp.where(first[:, None], 0.0, hidden), features)
            return hidden, hidden

        x = ConvEncoder(16)(image)  # by products: XLA's grouped convolution is slow on a CPU, and may never return
        x = nn.relu(dense(hidden.shape[-1], 2**0.5)(x))
        scan = nn.scan(step, variable_broadcast="params", split_rngs={"params": False})
        hidden, x = scan(nn.GRUCell(hidden.shape[-1]), hidden, (x, first))
        return hidden, dense(self.num_actions, 0.01)(x), dense(1, 1.0)(x)[..., 0]


@dataclasses.dataclass(frozen=True)
class Batch:
    """What an agent learns from, ``[T,E,...]``."""

    image: jax.Array
    first: jax.Array
    action: jax.Array
    log_prob: jax.Array
    advantage: jax.Array
    value: jax.Array


jax.tree_util.register_dataclass(Batch)


def train(env: Environment, params: Any, seed: int, hidden: int = 64) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Yield after every update the environment steps so far, and metrics of its rollout under the names of our learner's.

    What is counted by episode is the rate in the rollout, for an episode of ``horizon`` steps.
    """
    num_agents = env.spec.num_agents
    network = ActorCritic(env.spec.num_actions)
    optimizer = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(RATE, eps=1e-5))
    alone: Any = network.apply  # its declared result includes variables, which only a mutable module returns
    apply = jax.vmap(alone, in_axes=(0, 0, 2, None), out_axes=(0, 2, 2))  # [N,...], and [T,E,N,...]

    def start(key):
        env_key, key = jax.random.split(key)
        state, timestep = jax.vmap(env.reset, in_axes=(0, None))(jax.random.split(env_key, ENVS), params)
        image, first = timestep.observation, timestep.first
        memory = jnp.zeros((num_agents, ENVS, hidden))
        weights = jax.vmap(lambda key: network.init(key, memory[0], image[None, :, 0], first[None]))(
            jax.random.split(key, num_agents)
        )
        return weights, jax.vmap(optimizer.init)(weights), memory, state, image, first

    def play(key, state, action):
        """Step, and begin the next episode at once where this one is over: `(state, image, over, rewards, metrics)`."""
        step_key, reset_key = jax.random.split(key)
        state, after = env.step(step_key, state, action, params)
        anew = env.reset(reset_key, params)
        state, image = jax.tree.map(
            lambda new, old: jnp.where(after.last, new, old), (anew[0], anew[1].observation), (state, after.observation)
        )
        return state, image, after.last, after.reward, after.metrics

    def act(weights, carried, key):
        memory, state, image, first = carried
        act_key, env_key = jax.random.split(key)
        memory, logits, value = apply(weights, memory, image[None], first[None])
        policy: Any = distrax.Categorical(logits=logits[0])
        action = policy.sample(seed=act_key)
        state, seen, over, reward, metrics = jax.vmap(play)(jax.random.split(env_key, ENVS), state, action)
        step = (
            (image, first, action, policy.log_prob(action), value[0]),
            (over, reward, metrics, jax.nn.log_softmax(logits[0])),
        )
        return (memory, state, seen, over), step

    def advantages(value, last, reward, over):
        """Generalised advantage estimation; the end of an episode is worth nothing, as in most codes."""

        def step(carried, now):
            advantage, following = carried
            reward, value, goes_on = now
            advantage = reward + DISCOUNT * goes_on * (following + LAMBDA * advantage) - value
            return (advantage, value), advantage

        steps = reward, value, 1.0 - over[..., None]
        return jax.lax.scan(step, (jnp.zeros_like(last), last), steps, reverse=True)[1]

    def loss(weights, batch, memory):
        _, logits, value = alone(weights, memory, batch.image, batch.first)
        policy: Any = distrax.Categorical(logits=logits)
        ratio = jnp.exp(policy.log_prob(batch.action) - batch.log_prob)
        advantage = (batch.advantage - batch.advantage.mean()) / (batch.advantage.std() + 1e-8)
        surrogate = jnp.minimum(ratio * advantage, jnp.clip(ratio, 1 - CLIP, 1 + CLIP) * advantage).mean()
        target, near = batch.advantage + batch.value, batch.value + jnp.clip(value - batch.value, -CLIP, CLIP)
        error = 0.5 * jnp.maximum((value - target) ** 2, (near - target) ** 2).mean()
        return -surrogate + 0.5 * error - ENTROPY * policy.entropy().mean()

    def learn(weights, optimizer_state, batch, memory, key):
        def step(carried, group):
            weights, state = carried
            gradient = jax.grad(loss)(weights, jax.tree.map(lambda x: x[:, group], batch), memory[group])
            updates, state = optimizer.update(gradient, state, weights)
            return (optax.apply_updates(weights, updates), state), None

        orders = jax.vmap(lambda key: jax.random.permutation(key, ENVS))(jax.random.split(key, EPOCHS))
        return jax.lax.scan(step, (weights, optimizer_state), orders.reshape(EPOCHS * MINIBATCHES, -1))[0]

    def update(weights, optimizer_state, memory, state, image, first, key):
        act_key, learn_key = jax.random.split(key)
        carried, ((image, first, action, log_prob, value), (over, reward, metrics, log_policy)) = jax.lax.scan(
            lambda carried, key: act(weights, carried, key),
            (memory, state, image, first),
            jax.random.split(act_key, STEPS),
        )
        _, _, last = apply(weights, carried[0], carried[2][None], carried[3][None])
        first = jnp.broadcast_to(first[..., None], action.shape)
        batch = Batch(image, first, action, log_prob, advantages(value, last[0], reward, over), value)
        batch = jax.tree.map(lambda x: jnp.moveaxis(x, 2, 0), batch)
        keys = jax.random.split(learn_key, num_agents)
        weights, optimizer_state = jax.vmap(learn)(weights, optimizer_state, batch, memory, keys)
        moments = log_policy.reshape(-1, *log_policy.shape[2:])
        logs = {f"agent_{name}": x.mean(axis=(0, 1)) * env.spec.horizon for name, x in metrics.items()}
        logs["agent_sight"] = sight(moments, jnp.ones(moments.shape[:2], bool))
        logs["collective_return"] = reward.sum(axis=-1).mean() * env.spec.horizon
        return (weights, optimizer_state, *carried), logs

    keys = jax.random.split(jax.random.key(seed), 2)
    carried, step = jax.jit(start)(keys[0]), jax.jit(update)
    done = 0
    while True:
        carried, logs = step(*carried, jax.random.fold_in(keys[1], done))
        done += 1
        yield done * ENVS * STEPS, jax.device_get(logs)
