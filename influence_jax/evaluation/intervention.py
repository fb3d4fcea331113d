"""Real interventions: the same moment again, by the same chance, with another action of one agent.

An agent's model of the others may be wrong about what its actions cause. The environment is a function of state, actions and
noise, so the truth can be computed: what the others would really do next after everything that the agent might have done.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from influence_jax.config import ConfigError
from influence_jax.evaluation.policy import decide
from influence_jax.evaluation.programs import compiled
from influence_jax.influence.acting import act, encode
from influence_jax.influence.axes import agents_first
from influence_jax.influence.counterfactual import pairwise_influence
from influence_jax.influence.measures import MEASURES
from influence_jax.learner.learner import Learner
from influence_jax.learner.rollout import init_rollout, observed_rewards, perceived, rollout
from influence_jax.learner.state import LearnerState, Member, RolloutState
from influence_jax.settings import Integers, checked, implementation
from influence_jax.types import CounterfactualBatch

NUM_ENVS = 16  # games played side by side; moments are spread over their episodes


@dataclasses.dataclass(frozen=True)
class Interventions:
    """Influence of agent k on agent j as k's model of the others has it, and as it is; leading axes members ``S``, moments."""

    estimated: np.ndarray  # f32[S,M,N,N], nats or the measure's unit
    real: np.ndarray  # f32[S,M,N,N]
    counted: np.ndarray  # bool[S,M,N,N], k saw j and the episode went on

    @property
    def pairs(self) -> np.ndarray:
        """i64[S]: how many pairs count."""
        return self.counted.sum(axis=(1, 2, 3))

    @property
    def correlation(self) -> np.ndarray:
        """f32[S]: Pearson's correlation of the two over the pairs that count, NaN where one of them is constant."""
        pairs = zip(self.estimated, self.real, self.counted, strict=True)
        return np.array([_correlation(estimated[count], real[count]) for estimated, real, count in pairs])


def intervene(learner: Learner, state: LearnerState, num_moments: int = 256, seed: int = 0) -> Interventions:
    """Compare the influence that every member's models of others see with the real one, in at least ``num_moments`` moments.

    Moments are spread evenly over the inside of the episode, whose last step has no next action.

    Raises:
        ConfigError: the agents have no model of others, or nobody measures influence.
    """
    checked("num_moments", num_moments, Integers(1))
    checked("seed", seed, Integers(0))
    influence = learner.config.influence
    if influence.model != "moa":
        raise ConfigError(
            f"influence.model is {influence.model!r}; interventions check a model of others, allowed is moa."
        )
    if influence.measure == "none":
        raise ConfigError(
            "influence.measure is 'none'; interventions check measured influence, allowed is any other measure."
        )
    if learner.env.spec.horizon < 2:
        raise ConfigError(
            "env.horizon is 1; interventions look at an action and the one after it, allowed are 2 or more."
        )
    return Interventions(**jax.device_get(_moments(learner, num_moments, state.member, jax.random.key(seed))))


@compiled(num_static=2)
def _moments(learner: Learner, num_moments: int, members: Member, key: jax.Array) -> dict[str, jax.Array]:
    rounds = -(-num_moments // NUM_ENVS)
    pause = max(1, learner.env.spec.horizon // (rounds + 1))

    def one_member(member):
        def one_round(rollout_state, round):
            play_key, look_key = jax.random.split(jax.random.fold_in(key, round))
            rollout_state, _, _ = rollout(learner, member, rollout_state, pause, play_key)
            return rollout_state, one_moment(learner, member, rollout_state, look_key)

        start_key = jax.random.fold_in(key, rounds)
        start = init_rollout(learner, member.env_params, start_key, NUM_ENVS, staggered=False)
        found = jax.lax.scan(one_round, start, jnp.arange(rounds, dtype=jnp.uint32))[1]
        return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), found)

    return jax.vmap(one_member)(members)


def one_moment(learner: Learner, member: Member, rollout_state: RolloutState, key: jax.Array) -> dict[str, jax.Array]:
    """Let all agents act, and repeat the step with every other action of each; see `Interventions` for what is returned."""
    act_key, noise_key = jax.random.split(key)
    now = perceived(learner, rollout_state)
    output, carry, _ = learner.model.decide(
        learner.network, act_key, member.params, rollout_state.carry, rollout_state.memory, now
    )
    noise_keys = jax.random.split(noise_key, len(now.reward))
    noise = jax.vmap(learner.env.sample_noise, in_axes=(0, None))(noise_keys, member.env_params)
    found = next_answers(learner, member, rollout_state, carry, output.action, noise)
    counted = now.visible & ~(now.last | found.over)[:, None, None]
    return {
        "estimated": jnp.where(counted, output.influence, 0.0),
        "real": real_influence(learner, found, counted),
        "counted": counted,
    }


@struct.dataclass
class Answers:
    """What everybody would do next after everything that each agent might have done; natural-log probabilities."""

    weights: jax.Array  # f32[K,E,C], k's own policy over what it might have done
    factual: jax.Array  # f32[J,E,A], j's policy after what was really done
    alternatives: jax.Array  # f32[K,C,J,E,A]
    over: jax.Array  # bool[E], the episode ends with this step, and nobody acts any more


@compiled()
def next_answers(
    learner: Learner, member: Member, rollout_state: RolloutState, carry: Any, actions: jax.Array, noise: Any
) -> Answers:
    """Repeat one step by the same chance with every other action of each agent.

    Args:
        learner: whose agents they are.
        member: their parameters.
        rollout_state: before the step.
        carry: recurrent states after it.
        actions: i32[E,N], what was really done.
        noise: the chance of the step, leading E.
    """
    model, network, params, env = learner.model, learner.network, member.params, learner.env
    now, unused = perceived(learner, rollout_state), jax.random.key(0)  # nothing that is drawn here is used
    num_agents = actions.shape[1]

    def policies(carry, observation, memory):
        """The log-policies ``[N,E,A]`` of all agents."""
        features, context = encode(network, params, observation), agents_first(model.context(memory))
        return act(network, unused, params, carry, features, context).log_policy["action"]

    before, memory = model.reset(now.first, rollout_state.carry, rollout_state.memory)

    def world(actions):
        """What everybody would do after ``actions i32[E,N]``, and whether the episode would be over."""
        env_state, after = jax.vmap(env.transition, in_axes=(0, 0, 0, None))(
            rollout_state.env_state, actions, noise, member.env_params
        )
        shaper_state = observed_rewards(learner, member, rollout_state, after.reward)
        then = rollout_state.replace(env_state=env_state, timestep=after, shaper_state=shaper_state)
        observation = perceived(learner, then).observation
        return policies(carry, observation, model.remember(memory, actions)), after.last

    def worlds_of(agent):
        def with_action(action):
            return world(actions.at[:, agent].set(action))[0]

        return jax.vmap(with_action)(jnp.arange(env.spec.num_actions, dtype=jnp.int32))

    factual, over = world(actions)
    alternatives = jax.vmap(worlds_of)(jnp.arange(num_agents, dtype=jnp.int32))
    return Answers(policies(before, now.observation, memory), factual, alternatives, over)


@compiled()
def answers_at_once(learner: Learner, member: Member, rollout_state: RolloutState, actions: jax.Array) -> Answers:
    """See `Answers`, of one game in which others see an action before they act: what they would do in this very step.

    ``actions i32[N]`` is what was really done.
    """
    num_agents = learner.env.spec.num_agents

    def policies(told):
        return decide(learner, member, rollout_state, jax.random.key(0), told)[1]["action"][:, None]

    def world(agent, action):
        return policies(actions.at[agent].set(action))

    everything = jnp.arange(learner.env.spec.num_actions, dtype=jnp.int32)
    alternatives = jax.vmap(jax.vmap(world, in_axes=(None, 0)), in_axes=(0, None))(
        jnp.arange(num_agents, dtype=jnp.int32), everything
    )
    factual = policies(actions)
    return Answers(factual, factual, alternatives, rollout_state.timestep.last)


@compiled()
def answers_to_messages(learner: Learner, member: Member, rollout_state: RolloutState) -> Answers:
    """See `Answers`, of one game in which agents talk: what they do after everything that each might have said.

    ``rollout_state`` is that of the step in which the message is heard.
    """
    messages, log_policy = rollout_state.memory

    def world(agent, message):
        heard = rollout_state.replace(memory=(messages.at[:, agent].set(message), log_policy))
        return decide(learner, member, heard, jax.random.key(0))[1]["action"][:, None]

    everything = jnp.arange(log_policy.shape[-1], dtype=jnp.int32)
    alternatives = jax.vmap(jax.vmap(world, in_axes=(None, 0)), in_axes=(0, None))(
        jnp.arange(messages.shape[1], dtype=jnp.int32), everything
    )
    factual = world(0, messages[0, 0])
    return Answers(log_policy, factual, alternatives, rollout_state.timestep.last)


def real_influence(learner: Learner, answers: Answers, counted: jax.Array) -> jax.Array:
    """Return the influence f32[E,K,J] of what was done, by the measure of the run; 0 where not ``counted bool[E,K,J]``."""
    factual = agents_first(answers.factual)
    num_envs, num_agents = factual.shape[:2]
    batch = CounterfactualBatch(
        factual=jnp.broadcast_to(factual[:, None], (num_envs, num_agents, *factual.shape[1:])),
        alternatives=answers.alternatives.transpose(3, 0, 1, 2, 4),
        weights=agents_first(answers.weights),
        realised=jnp.zeros((num_envs, num_agents, num_agents), jnp.int32),
        mask=counted,
    )
    return pairwise_influence(batch, implementation("influence.measure", learner.config.influence.measure, MEASURES))


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(x, y)[0, 1]) if x.size > 1 and x.std() > 0 and y.std() > 0 else float("nan")
