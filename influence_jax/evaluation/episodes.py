"""Whole episodes under frozen parameters: what they return."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.evaluation.programs import compiled
from influence_jax.learner.learner import Learner
from influence_jax.learner.rollout import init_rollout, rollout
from influence_jax.learner.state import LearnerState, Member
from influence_jax.metrics import equality
from influence_jax.settings import Integers, checked


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What happened in whole episodes; leading axes are members ``S`` and episodes ``P``."""

    agent_returns: np.ndarray  # f32[S,P,N], the environment's reward alone
    collective_return: np.ndarray  # f32[S,P]
    equality: np.ndarray  # f32[S,P]
    influence: np.ndarray  # f32[S,P], per step, of a mean agent on all others, nats
    metrics: dict[str, np.ndarray]  # f32[S,P,N], the environment's metrics summed over the episode


def evaluate(
    learner: Learner, state: LearnerState, num_episodes: int = 20, seed: int = 0, greedy: bool = False
) -> Evaluation:
    """Play ``num_episodes`` with the parameters of every member; the same seed gives all members the same games.

    Actions are sampled as in training, or with ``greedy`` the most probable ones (of messages too).
    """
    checked("num_episodes", num_episodes, Integers(1))
    checked("seed", seed, Integers(0))
    learner = with_greedy_network(learner) if greedy else learner
    return Evaluation(**jax.device_get(_episodes(learner, num_episodes, state.member, jax.random.key(seed))))


@compiled(num_static=2)
def _episodes(learner: Learner, num_episodes: int, members: Member, key: jax.Array) -> dict[str, jax.Array]:
    def one_member(member):
        start_key, act_key = jax.random.split(key)
        start = init_rollout(learner, member.env_params, start_key, num_episodes, staggered=False)
        _, steps, bootstrap = rollout(learner, member, start, learner.env.spec.horizon, act_key)
        # A game that ended before its horizon has begun another one, which does not count.
        playing = jnp.cumsum(steps.first, axis=0, dtype=jnp.int32) == 1

        def total(x):
            return jnp.sum(jnp.where(playing[..., None], x, 0.0), axis=0)

        returns = total(steps.reward)
        influence = total(learner.model.influence_reward(steps, bootstrap)).mean(axis=-1)
        return {
            "agent_returns": returns,
            "collective_return": returns.sum(axis=-1),
            "equality": equality(returns),
            "influence": influence / playing.sum(axis=0, dtype=jnp.int32),
            "metrics": {name: total(values) for name, values in steps.metrics.items()},
        }

    return jax.vmap(one_member)(members)


@functools.lru_cache(maxsize=8)
def with_greedy_network(learner: Learner) -> Learner:
    """Return the learner whose policies put all probability on their most probable action, and message."""
    return dataclasses.replace(learner, network=GreedyNetwork(learner.network))


@dataclasses.dataclass(frozen=True)
class GreedyNetwork:
    """A network whose policy heads are certain of their most probable symbol; everything else is the network's own."""

    network: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.network, name)

    def resolve(self, params, branch, carry, gates, context):
        """Step a branch under given symbols."""
        carry, gates, heads = self.network.resolve(params, branch, carry, gates, context)
        return carry, gates, certain(heads)


def certain(heads: dict[str, jax.Array]) -> dict[str, jax.Array]:
    """Return the heads with logits of 0 at the highest and of -1e9 elsewhere; values and predictions stay."""

    def best(logits):
        return jnp.where(
            jnp.arange(logits.shape[-1], dtype=jnp.int32) == logits.argmax(axis=-1)[..., None], 0.0, -1e9
        ).astype(logits.dtype)

    return heads | {name: best(heads[name]) for name in ("action", "message") if name in heads}
