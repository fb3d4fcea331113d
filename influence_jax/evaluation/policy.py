"""Trained agents: their policies and values at any state, and acting step by step."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax.core import Tracer

from influence_jax.analysis.tables import html_table
from influence_jax.evaluation.programs import compiled
from influence_jax.learner.learner import Learner
from influence_jax.learner.rollout import act, observed_rewards
from influence_jax.learner.state import LearnerState, Member, RolloutState
from influence_jax.platforms import usual_promotion
from influence_jax.settings import ConfigError, Integers, checked, settings_repr, short_repr
from influence_jax.types import TimeStep, arrays_repr


@struct.dataclass
class AgentState:
    """What agents carry from step to step; the contents belong to the network, the influence model and the shaper."""

    __repr__ = arrays_repr

    carry: Any  # {branch: recurrent state}, leading [N,1]
    memory: Any  # of the influence model, such as the last actions
    shaper_state: Any  # of the reward shaper, for agents that observe rewards

    def in_game(self, env_state: Any, timestep: TimeStep) -> RolloutState:
        """Return the rollout state of one game, E = 1, with this environment state and time step."""
        env_state, timestep = jax.tree.map(lambda x: x[None], (env_state, timestep))
        return RolloutState(env_state, timestep, self.carry, self.memory, self.shaper_state)


@struct.dataclass
class Decision:
    """What agents do in one step, and the distributions it was drawn from."""

    actions: jax.Array  # i32[N]
    log_policy: jax.Array  # f32[N,A], nats
    values: jax.Array  # f32[N], of the rewards learned from, in the unit of the losses
    influence: jax.Array  # f32[K,J], of k on j, as measured in this step; diagonal 0
    messages: jax.Array | None  # i32[N], for agents that talk
    message_log_policy: jax.Array | None  # f32[N,M]
    action_names: tuple[str, ...] = struct.field(pytree_node=False)

    def __repr__(self) -> str:
        if np.ndim(self.actions) != 1 or isinstance(self.actions, Tracer):
            return settings_repr(self)
        chosen = ", ".join(f"{row['action']} ({row[row['action']]:.2g})" for row in self.rows())
        return f"Decision of {len(self.actions)} agents, with probabilities: {chosen}"

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each agent: its action, its message if it talks, its value, and the probability of each action."""
        rows = []
        for agent, (action, value) in enumerate(zip(self.actions, self.values, strict=True)):
            row = {"agent": agent, "action": self.action_names[int(action)]}
            row |= {} if self.messages is None else {"message": int(self.messages[agent])}
            probabilities = map(float, self.probabilities[agent])
            rows.append(row | {"value": float(value)} | dict(zip(self.action_names, probabilities, strict=True)))
        return rows

    def _repr_html_(self) -> str:
        return html_table(self.rows(), "What each agent does, its value, and the probability of each action")

    @property
    def probabilities(self) -> np.ndarray:
        """f32[N,A]: the probability of each action."""
        return np.exp(np.asarray(self.log_policy))


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Policy:
    """The trained agents of one member of a run; ``policy[n]`` is agent n alone, to be seated by `influence_jax.play`.

    >>> policy = run.policy(member=0)
    >>> state, timestep = policy.learner.env.reset(jax.random.key(0), policy.member.env_params)
    >>> probabilities = policy.at(state).probabilities  # f32[N,A] at the start of an episode
    """

    learner: Learner
    member: Member

    def __repr__(self) -> str:
        return f"Policy of agents 0 to {len(self) - 1}, {self.training}"

    @property
    def training(self) -> str:
        """The game that agents were trained in, and their actions there."""
        env, num_messages = self.learner.env, self.learner.model.network_spec.num_messages
        messages = f", and one of {num_messages} messages" if num_messages else ""
        return f"trained in {type(env).__name__} to choose {', '.join(env.spec.action_names)}{messages}"

    def __getitem__(self, agent: int) -> "Agent":
        checked("agent", agent, Integers(0, len(self) - 1))
        return Agent(self, int(agent))

    def __iter__(self) -> Iterator["Agent"]:
        return (self[agent] for agent in range(len(self)))

    def __len__(self) -> int:
        return self.learner.env.spec.num_agents

    def start(self) -> AgentState:
        """Return the agents' state at the start of an episode."""
        return start(self.learner)

    def step(self, agent_state: AgentState, timestep: TimeStep, key: jax.Array) -> tuple[Decision, AgentState]:
        """Let all agents act on ``timestep``, as returned by the environment's ``reset`` or ``step``.

        >>> decision, agent_state = policy.step(policy.start(), timestep, jax.random.key(0))
        """
        kinds = {"agent_state": AgentState, "timestep": TimeStep, "key": jax.Array}
        for (name, kind), value in zip(kinds.items(), (agent_state, timestep, key), strict=True):
            if not isinstance(value, kind):
                raise ConfigError(
                    f"{name} is {short_repr(value)}; allowed: {kind.__name__}, as in the example of `Policy.step`."
                )
        return _step(self.learner, self.member, agent_state, timestep, key)

    @usual_promotion()
    def at(self, state: Any, agent_state: AgentState | None = None) -> Decision:
        """Return what agents would do in a ``state`` of the game; without ``agent_state``, as if an episode started there.

        The actions are sampled with a fixed key.
        """
        env = self.learner.env
        try:
            observation, visible = env.observe(state)
        except Exception as error:
            wanted = f"a state of {type(env).__name__}, as its `reset` returns it"
            raise ConfigError(f"state is {short_repr(state)}; allowed: {wanted}.") from error
        spec = env.spec
        nothing = jnp.zeros(spec.num_agents, jnp.float32)
        timestep = TimeStep(
            observation=observation,
            reward=nothing,
            discount=jnp.ones((), jnp.float32),
            first=jnp.asarray(agent_state is None),
            truncated=jnp.zeros((), bool),
            visible=visible,
            metrics=dict.fromkeys(spec.metric_names, nothing),
        )
        return self.step(self.start() if agent_state is None else agent_state, timestep, jax.random.key(0))[0]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Agent:
    """One trained agent, which can take any seat of a game."""

    policy: Policy
    number: int

    def __repr__(self) -> str:
        return f"Agent {self.number}, {self.policy.training}"


def policy_of(learner: Learner, state: LearnerState, member: int = 0) -> Policy:
    """Return the agents of one ``member`` of a trained population, leading axis S."""
    checked("member", member, Integers(0, len(state.update) - 1))
    return Policy(learner, jax.tree.map(lambda x: x[member], state.member))


def start(learner: Learner) -> AgentState:
    """See `Policy.start`."""
    num_agents = learner.env.spec.num_agents
    return AgentState(
        carry=learner.network.zero_carry((num_agents, 1)),
        memory=learner.model.memory.init(1),
        shaper_state=learner.shaper.init(1, num_agents),
    )


@compiled()
def _step(
    learner: Learner, member: Member, agent_state: AgentState, timestep: TimeStep, key: jax.Array
) -> tuple[Decision, AgentState]:
    now = agent_state.in_game(None, timestep)  # the previous step's reward is in this time step
    now = dataclasses.replace(now, shaper_state=observed_rewards(learner, member, now, timestep.reward[None]))
    output, carry, memory = act(learner, member, now, key)
    output = jax.tree.map(lambda x: x[0], output)
    decision = Decision(
        actions=output.action,
        log_policy=output.log_policy["action"],
        values=output.samples["action"].value,
        influence=output.influence,
        messages=output.samples["message"].symbol if "message" in output.samples else None,
        message_log_policy=output.log_policy.get("message"),
        action_names=tuple(learner.env.spec.action_names),
    )
    return decision, AgentState(carry, memory, now.shaper_state)
