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
from influence_jax.settings import INT32_MAX, Choices, ConfigError, Integers, checked


@dataclasses.dataclass(frozen=True, repr=False)
class Evaluation:
    """What happened in whole episodes; leading axes are members ``S`` and episodes ``P``."""

    agent_returns: np.ndarray  # f32[S,P,N], the environment's reward alone
    collective_return: np.ndarray  # f32[S,P]
    equality: np.ndarray  # f32[S,P]
    influence: np.ndarray  # f32[S,P], per step of the episode, of a mean agent on all others, nats
    metrics: dict[str, np.ndarray]  # f32[S,P,N], the environment's metrics summed over the episode

    def __repr__(self) -> str:
        members, episodes, agents = self.agent_returns.shape
        means = {"return": self.collective_return, "equality": self.equality, "influence": self.influence}
        shown = ", ".join(f"{name} {mean_and_spread(values.mean(axis=1))}" for name, values in means.items())
        return f"Evaluation of {episodes} episodes of each of {members} members with {agents} agents, {shown}"


def mean_and_spread(values: np.ndarray) -> str:
    """Return ``"312 +- 20"``, mean and standard deviation of ``values f[S]``, of those that are not NaN."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return "none"
    return f"{finite.mean():.3g}" + (f" +- {finite.std(ddof=1):.2g}" if finite.size > 1 else "")


def evaluate(
    run: Any, state: LearnerState | None = None, num_episodes: int = 20, seed: int = 0, greedy: bool = False
) -> Evaluation:
    """Play ``num_episodes`` with the parameters of every member; the same seed gives all members the same games.

    >>> evaluate(run, num_episodes=100).collective_return.mean()

    Args:
        run: a `influence_jax.Run`, or a learner.
        state: of the learner; a run has its own.
        num_episodes: of each member.
        seed: of the games.
        greedy: whether the most probable actions, and messages, are taken instead of draws.

    Raises:
        ConfigError: an argument cannot be used.
    """
    learner, state = learner_and_state(run, state)
    checked("num_episodes", num_episodes, Integers(1))
    checked("seed", seed, Integers(0, INT32_MAX))
    checked("greedy", greedy, Choices((True, False)))
    learner = with_greedy_network(learner) if greedy else learner
    return Evaluation(**jax.device_get(_episodes(learner, num_episodes, state.member, jax.random.key(seed))))


def learner_and_state(run: Any, state: LearnerState | None) -> tuple[Learner, LearnerState]:
    """Return the learner and the state of a run, or of a learner with its state.

    Raises:
        ConfigError: there is no run, or no state.
    """
    found = (run, state) if state is not None else (getattr(run, "learner", None), getattr(run, "state", None))
    if not isinstance(found[0], Learner) or not isinstance(found[1], LearnerState):
        given = type(run).__name__ if state is None else f"{type(run).__name__} with state {type(state).__name__}"
        raise ConfigError(
            f"run is of type {given}; allowed: a Run, as influence_jax.train and load return it, or a Learner with its state."
        )
    return found


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
            "influence": influence / (playing & steps.valid).sum(axis=0, dtype=jnp.int32),
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
