"""Evaluation: playing whole episodes with frozen parameters."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.analysis.tables import html_table
from influence_jax.evaluation.programs import compiled
from influence_jax.learner.learner import Learner
from influence_jax.learner.rollout import init_rollout, rollout
from influence_jax.learner.state import LearnerState, Member
from influence_jax.metrics import equality, peace, sustainability
from influence_jax.settings import INT32_MAX, Choices, ConfigError, Integers, checked


@dataclasses.dataclass(frozen=True, repr=False)
class Evaluation:
    """Results of whole episodes, from `influence_jax.evaluate`; leading axes are members ``S`` and episodes ``P``.

    >>> evaluation = influence_jax.evaluate(run, num_episodes=20)
    >>> returns = evaluation.collective_return.mean(axis=1)  # f32[S]
    """

    agent_returns: np.ndarray  # f32[S,P,N], of the environment's reward
    collective_return: np.ndarray  # f32[S,P]
    equality: np.ndarray  # f32[S,P]
    sustainability: np.ndarray  # f32[S,P], mean step at which apples are eaten; NaN if nobody eats
    peace: np.ndarray  # f32[S,P], mean number of agents that are not hit in a step; NaN in games without hits
    influence: np.ndarray  # f32[S,P], per step, of an average agent on all others, in the measure's unit
    metrics: dict[str, np.ndarray]  # f32[S,P,N], the environment's metrics summed over the episode

    def __repr__(self) -> str:
        members, episodes, agents = self.agent_returns.shape
        means = {"return": self.collective_return, "equality": self.equality, "influence": self.influence}
        shown = ", ".join(f"{name} {mean_and_spread(values.mean(axis=1))}" for name, values in means.items())
        return f"Evaluation of {episodes} episodes of each of {members} members with {agents} agents, {shown}"

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each member: means over episodes, and the standard deviation of the collective return.

        Sustainability is the mean over episodes in which somebody eats, and metrics that a game does not have are left out.
        """
        columns = {"return": self.collective_return, "equality": self.equality, "influence": self.influence}
        social = {"sustainability": self.sustainability, "peace": self.peace}
        columns |= {name: values for name, values in social.items() if np.isfinite(values).any()}
        columns |= {name: values.sum(axis=-1) for name, values in self.metrics.items()}
        means = {name: values.mean(axis=1).tolist() for name, values in columns.items()}
        means["sustainability"] = [_mean_of_known(values) for values in self.sustainability]
        means["std"] = self.collective_return.std(axis=1).tolist()
        names = ["return", "std", *(name for name in columns if name != "return")]
        return [
            {"member": member} | {name: means[name][member] for name in names} for member in range(len(self.equality))
        ]

    def _repr_html_(self) -> str:
        return html_table(self.rows(), repr(self))


def _mean_of_known(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def mean_and_spread(values: np.ndarray) -> str:
    """Return ``"312 +- 20"``, the mean and standard deviation of ``values f[S]`` without NaN."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return "none"
    return f"{finite.mean():.3g}" + (f" +- {finite.std(ddof=1):.2g}" if finite.size > 1 else "")


def evaluate(
    run: Any, state: LearnerState | None = None, num_episodes: int = 20, seed: int = 0, greedy: bool = False
) -> Evaluation:
    """Play ``num_episodes`` with every member's parameters; one seed gives all members the same games.

    Args:
        run: a `influence_jax.Run`, or a learner.
        state: the learner's state; a run has its own.
        num_episodes: number of episodes per member.
        seed: of the games.
        greedy: take the most probable actions, and messages, instead of sampling.

    Raises:
        ConfigError: an argument cannot be used.

    Example:
        >>> returns = influence_jax.evaluate(run, num_episodes=20).collective_return  # f32[S,P]
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
    given = type(run).__name__ if state is None else f"{type(run).__name__} with state {type(state).__name__}"
    learner, state = (getattr(run, name, None) for name in ("learner", "state")) if state is None else (run, state)
    if not isinstance(learner, Learner) or not isinstance(state, LearnerState):
        raise ConfigError(
            f"run is of type {given}; allowed: a Run, as influence_jax.train and load return it, or a Learner with its state."
        )
    return learner, state


@compiled(num_static=2)
def _episodes(learner: Learner, num_episodes: int, members: Member, key: jax.Array) -> dict[str, jax.Array]:
    def one_member(member):
        start_key, act_key = jax.random.split(key)
        start = init_rollout(learner, member.env_params, start_key, num_episodes, staggered=False)
        _, steps, bootstrap = rollout(learner, member, start, learner.env.spec.horizon, act_key)
        # A game that ends before its horizon starts again; the second episode does not count.
        playing = jnp.cumsum(steps.first, axis=0, dtype=jnp.int32) == 1

        played = playing & steps.valid
        unknown = jnp.full(num_episodes, jnp.nan, jnp.float32)
        eaten, hits = (steps.metrics.get(name) for name in ("apples", "hits"))

        def counted(x):
            return jnp.where(playing[..., None], x, 0.0)

        def total(x):
            return jnp.sum(counted(x), axis=0)

        returns = total(steps.reward)
        hparams = member.hyperparams.replace(influencee_share=0.0)  # what agents do to others, not what they receive
        influence = total(learner.model.influence_reward(steps, bootstrap, hparams)).mean(axis=-1)
        return {
            "agent_returns": returns,
            "collective_return": returns.sum(axis=-1),
            "equality": equality(returns),
            "sustainability": unknown if eaten is None else sustainability(counted(eaten), steps.time),
            "peace": unknown if hits is None else peace(hits, played),
            "influence": influence / played.sum(axis=0, dtype=jnp.int32),
            "metrics": {name: total(values) for name, values in steps.metrics.items()},
        }

    return jax.vmap(one_member)(members)


@functools.lru_cache(maxsize=8)
def with_greedy_network(learner: Learner) -> Learner:
    """Return the learner with policies that put all probability on their most probable action, and message."""
    return dataclasses.replace(learner, network=GreedyNetwork(learner.network))


@dataclasses.dataclass(frozen=True)
class GreedyNetwork:
    """A network whose policy heads put all probability on their most probable symbol; everything else is unchanged."""

    network: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.network, name)

    def resolve(self, params, branch, carry, gates, context):
        """Step a branch with the given symbols."""
        carry, gates, heads = self.network.resolve(params, branch, carry, gates, context)
        return carry, gates, deterministic(heads)


def deterministic(heads: dict[str, jax.Array]) -> dict[str, jax.Array]:
    """Return the heads with logits of 0 at the maximum and -1e9 elsewhere; values and predictions are unchanged."""

    def best(logits):
        return jnp.where(
            jnp.arange(logits.shape[-1], dtype=jnp.int32) == logits.argmax(axis=-1)[..., None], 0.0, -1e9
        ).astype(logits.dtype)

    return heads | {name: best(heads[name]) for name in ("action", "message") if name in heads}
