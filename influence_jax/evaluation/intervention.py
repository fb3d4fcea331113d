"""Real interventions: the same moment replayed with the same random draws and another action of one agent.

An agent's model of the others may be wrong about the effects of its actions. Since the environment is a function of state,
actions and noise, the true effects can be computed: the others' policies after each action that the agent could have chosen.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from influence_jax.analysis.tables import html_table
from influence_jax.evaluation.episodes import learner_and_state, mean_and_spread
from influence_jax.evaluation.programs import compiled
from influence_jax.influence.axes import agents_first
from influence_jax.influence.counterfactual import pairwise_influence
from influence_jax.learner.learner import Learner
from influence_jax.learner.rollout import act, init_rollout, observed_rewards, rollout
from influence_jax.learner.state import LearnerState, Member, RolloutState
from influence_jax.settings import INT32_MAX, ConfigError, Integers, checked
from influence_jax.types import CounterfactualBatch, TimeStep

NUM_ENVS = 16  # parallel games; moments are spread over their episodes


@dataclasses.dataclass(frozen=True, repr=False)
class Interventions:
    """Influence of agent k on agent j, as k's model estimates it and as measured by intervention, from `influence_jax.intervene`.

    Leading axes are members ``S`` and moments ``M``.

    >>> found = influence_jax.intervene(run)
    >>> estimated, real = found.estimated[found.counted].mean(), found.real[found.counted].mean()
    """

    estimated: np.ndarray  # f32[S,M,N,N], nats or the measure's unit
    real: np.ndarray  # f32[S,M,N,N]
    counted: np.ndarray  # bool[S,M,N,N], k saw j and the episode continued

    @property
    def pairs(self) -> np.ndarray:
        """i64[S]: the number of pairs that count."""
        return self.counted.sum(axis=(1, 2, 3))

    @property
    def correlation(self) -> np.ndarray:
        """f32[S]: Pearson correlation of estimated and real influence over the pairs that count; NaN if either is constant."""
        pairs = zip(self.estimated, self.real, self.counted, strict=True)
        return np.array([_correlation(estimated[count], real[count]) for estimated, real, count in pairs])

    def __repr__(self) -> str:
        members, moments, agents = self.counted.shape[:3]
        played = f"{moments} moments of each of {members} members with {agents} agents"
        correlation = mean_and_spread(self.correlation)
        return f"Interventions in {played}, {self.pairs.sum()} pairs that count, correlation {correlation}"

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each member: its pairs that count, their mean influence, estimated and real, and its correlation."""
        return [
            {
                "member": member,
                "pairs": int(count.sum()),
                "estimated": float(estimated[count].mean()) if count.any() else float("nan"),
                "real": float(real[count].mean()) if count.any() else float("nan"),
                "correlation": float(_correlation(estimated[count], real[count])),
            }
            for member, (estimated, real, count) in enumerate(zip(self.estimated, self.real, self.counted, strict=True))
        ]

    def _repr_html_(self) -> str:
        return html_table(self.rows(), repr(self))


def intervene(run: Any, state: LearnerState | None = None, num_moments: int = 256, seed: int = 0) -> Interventions:
    """Compare the influence estimated by agents' models of others with the real influence, in at least ``num_moments`` moments.

    The moments are spread evenly over the episode, except its last step, which has no next action.

    Args:
        run: a `influence_jax.Run`, or a learner.
        state: the learner's state; a run has its own.
        num_moments: minimum number of moments per member.
        seed: of the games.

    Raises:
        ConfigError: the agents have no model of others, or influence is not measured.

    Example:
        >>> correlation = influence_jax.intervene(run, num_moments=256).correlation  # f32[S]
    """
    learner, state = learner_and_state(run, state)
    checked("num_moments", num_moments, Integers(1))
    checked("seed", seed, Integers(0, INT32_MAX))
    if learner.model.source != "own model":
        raise ConfigError(
            f"influence.model has the source {learner.model.source!r}; interventions check agents' own models of the others, "
            "allowed: one with the source 'own model', such as moa."
        )
    if learner.model.measure is None:
        raise ConfigError(
            "influence.measure is 'none'; interventions check measured influence; allowed: any other measure."
        )
    if learner.env.spec.horizon < 2:
        raise ConfigError("env.horizon is 1; interventions look at an action and the one after it; allowed: 2 or more.")
    rounds = -(-num_moments // NUM_ENVS)
    return Interventions(**jax.device_get(_moments(learner, rounds, state.member, jax.random.key(seed))))


@compiled(num_static=2)
def _moments(learner: Learner, rounds: int, members: Member, key: jax.Array) -> dict[str, jax.Array]:
    return at_moments(learner, rounds, functools.partial(one_moment, learner), members, key)


def at_moments(
    learner: Learner, rounds: int, look: Callable[..., Any], members: Member, key: jax.Array
) -> dict[str, jax.Array]:
    """Return what ``look(member, rollout_state, key)`` finds at moments spread over the episode, ``[S,M,...]``.

    There are at least ``rounds`` of `NUM_ENVS` moments each, evenly spread up to the last step but one.
    """
    horizon = learner.env.spec.horizon
    pause = max(1, horizon // (rounds + 1))
    rounds = max(rounds, (horizon - 2) // pause)

    def one_member(member):
        def one_round(rollout_state, round):
            play_key, look_key = jax.random.split(jax.random.fold_in(key, round))
            rollout_state, _, _ = rollout(learner, member, rollout_state, pause, play_key)
            return rollout_state, look(member, rollout_state, look_key)

        start_key = jax.random.fold_in(key, rounds)
        start = init_rollout(learner, member.env_params, start_key, NUM_ENVS, staggered=False)
        found = jax.lax.scan(one_round, start, jnp.arange(rounds, dtype=jnp.uint32))[1]
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), found)

    return jax.vmap(one_member)(members)


def one_moment(learner: Learner, member: Member, rollout_state: RolloutState, key: jax.Array) -> dict[str, jax.Array]:
    """Let all agents act, and replay the step with every other choice of each agent; the result is as in `Interventions`."""
    act_key, noise_key = jax.random.split(key)
    output, _, _ = act(learner, member, rollout_state, act_key)
    noise_keys = jax.random.split(noise_key, len(rollout_state.timestep.reward))
    noise = jax.vmap(learner.env.sample_noise, in_axes=(0, None))(noise_keys, member.env_params)
    choices = {head: sample.symbol for head, sample in output.samples.items()}
    found = counterfactual_policies(learner, member, rollout_state, choices, noise)
    counted = found.counted(rollout_state.timestep)
    return {
        "estimated": jnp.where(counted, output.influence, 0.0),
        "real": real_influence(learner, found, None, counted),
        "counted": counted,
    }


@struct.dataclass
class CounterfactualPolicies:
    """The policies of all agents after every choice that each agent could have made; natural-log probabilities."""

    weights: jax.Array  # f32[K,E,C], k's own policy over its choices
    factual: jax.Array  # f32[J,E,A], j's policy after k's actual choice
    alternatives: jax.Array  # f32[K,C,J,E,A]
    over: jax.Array  # bool[E], the episode is over by then, and nobody acts

    def counted(self, timestep: TimeStep) -> jax.Array:
        """bool[E,K,J]: k saw j in the ``timestep`` of the choices, and j still acts when they take effect."""
        return timestep.visible & ~(timestep.last | self.over)[:, None, None]


@compiled()
def counterfactual_policies(
    learner: Learner, member: Member, rollout_state: RolloutState, choices: dict[str, jax.Array], noise: Any
) -> CounterfactualPolicies:
    """Replay one step with the same random draws and every other action, or message, of each agent.

    Args:
        learner: whose agents they are; its model declares what is varied and when the effect shows.
        member: their parameters.
        rollout_state: before the step.
        choices: by head, i32[E,N], the actual choices.
        noise: the noise of the step, leading E.
    """
    model, env, unused = learner.model, learner.env, jax.random.key(0)  # no random draw made with it is used

    def world(symbols):
        """Step with ``symbols i32[E,N]``; return the output, all policies [N,E,A] once the effect shows, and the episode end."""
        output, carry, memory = act(learner, member, rollout_state, unused, choices | {model.channel: symbols})
        if model.lag == 0:
            return output, agents_first(output.log_policy["action"]), rollout_state.timestep.last
        env_state, after = jax.vmap(env.transition, in_axes=(0, 0, 0, None))(
            rollout_state.env_state, output.action, noise, member.env_params
        )
        shaper_state = observed_rewards(learner, member, rollout_state, after.reward)
        then, _, _ = act(learner, member, RolloutState(env_state, after, carry, memory, shaper_state), unused)
        return output, agents_first(then.log_policy["action"]), after.last

    symbols = choices[model.channel]
    output, factual, over = world(symbols)
    weights = agents_first(output.log_policy[model.channel])
    num_agents, _, num_choices = weights.shape

    def worlds_of(agent):
        return jax.vmap(lambda choice: world(symbols.at[:, agent].set(choice))[1])(
            jnp.arange(num_choices, dtype=jnp.int32)
        )

    alternatives = jax.vmap(worlds_of)(jnp.arange(num_agents, dtype=jnp.int32))
    return CounterfactualPolicies(weights, factual, alternatives, over)


def real_influence(
    learner: Learner, policies: CounterfactualPolicies, realised: jax.Array | None, counted: jax.Array
) -> jax.Array:
    """Return the influence f32[E,K,J] of the choices in the model's measure; 0 unless ``counted bool[E,K,J]``.

    Without a measure all of it is 0, as while acting.
    ``realised i32[E,J]`` are the actions in which the effect shows; None if they have not been taken yet.
    """
    measure = learner.model.measure
    if measure is None:
        return jnp.zeros(counted.shape, jnp.float32)
    factual = agents_first(policies.factual)
    num_envs, num_agents = factual.shape[:2]
    if realised is not None:
        realised = jnp.broadcast_to(realised[:, None], counted.shape)
    batch = CounterfactualBatch(
        factual=jnp.broadcast_to(factual[:, None], (num_envs, num_agents, *factual.shape[1:])),
        alternatives=policies.alternatives.transpose(3, 0, 1, 2, 4),
        weights=agents_first(policies.weights),
        realised=realised,
        mask=counted,
    )
    return pairwise_influence(batch, measure)


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(x, y)[0, 1]) if x.size > 1 and x.std() > 0 and y.std() > 0 else float("nan")
