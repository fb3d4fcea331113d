"""Playing one episode with trained agents of any runs, scripted players, or functions of your own."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from influence_jax.envs import with_numbers
from influence_jax.envs.base import Environment
from influence_jax.evaluation.policy import Agent, AgentState, Policy, start
from influence_jax.evaluation.programs import compiled
from influence_jax.evaluation.replay import Team, find_real_influence
from influence_jax.evaluation.seating import Player, Seating, seated
from influence_jax.evaluation.trace import Trace
from influence_jax.learner.rollout import act, observed_rewards, with_interventions
from influence_jax.learner.state import Member, RolloutState
from influence_jax.settings import INT32_MAX, Choices, ConfigError, Integers, checked
from influence_jax.types import ActorOutput, TimeStep, Trajectory

Now = tuple[Any, TimeStep, list[AgentState]]  # the game's state, its time step, and what agents of each team carry


def play(
    agents: Policy | Player | Sequence[Policy | Agent | Player],
    env: Environment | None = None,
    *,
    params: Any = None,
    seed: int = 0,
    real: bool = False,
) -> Trace:
    """Play one episode and return a full record of it.

    Agents of runs with the same network, influence and reward settings form a team, for which everything is as in training.
    With agents of different kinds, all see the others' real actions, but influence is only what agents measure with their own
    models.

    Args:
        agents: who plays, one for each seat or one for all. A policy plays at seat n as its agent n; ``policy[m]`` is its agent
            m at any seat. A player is a function ``(key, env, state) -> actions i32[N]`` in JAX, such as those of
            `influence_jax.envs.scripted`; only its action for its own seat is used.
        env: the game; by default that of the first policy.
        params: parameters of the game that replace those of the first policy's training, such as ``{"hit_penalty": 0}``; in a
            game of another kind they replace the game's defaults.
        seed: the same seed gives the same episode, bit for bit.
        real: also compute the real influence of every action, see `Trace.real_influence`.

    Raises:
        ConfigError: an agent cannot take its seat, or there is no game.

    Example:
        >>> a, b = influence_jax.load("runs/a").policy(0), influence_jax.load("runs/b").policy(0)
        >>> trace = influence_jax.play([a, b])  # agent 0 of run a with agent 1 of run b
        >>> returns = trace.rewards.sum(axis=0)  # f32[N]
    """
    checked("seed", seed, Integers(0, INT32_MAX))
    checked("real", real, Choices((True, False)))
    seating, members = seated(agents, env)
    env_params = env_params_of(seating.env, members, params)
    members = tuple(dataclasses.replace(member, env_params=env_params) for member in members)
    steps = jax.device_get(_episode(seating, members, env_params, jax.random.key(seed)))
    trace = _trace(seating, members, env_params, steps)
    return dataclasses.replace(trace, real_influence=find_real_influence(trace)) if real else trace


def env_params_of(env: Environment, members: tuple[Member, ...], params: Any) -> Any:
    """Return the game's parameters: those of the first team's training if they fit, else the defaults; then apply ``params``."""
    default = env.default_params
    trained = members[0].env_params if members else default
    fit = type(trained) is type(default) and jax.tree.map(np.shape, trained) == jax.tree.map(np.shape, default)
    return with_numbers("params", trained if fit else default, {} if params is None else params)


@struct.dataclass
class Steps:
    """The steps of an episode; leading axis of time, with one more decision than the game has steps."""

    state: Any  # before the step
    timestep: TimeStep
    noise: Any
    actions: jax.Array  # i32[T,N]
    agent_states: list[AgentState]  # by team, before the step
    outputs: list[ActorOutput]  # by team, E = 1


@compiled()
def _episode(seating: Seating, members: tuple[Member, ...], env_params: Any, key: jax.Array) -> Steps:
    return unroll(seating, np.array(seating.owner), members, env_params, key)


def unroll(
    seating: Seating, owner: np.ndarray | jax.Array, members: tuple[Member, ...], env_params: Any, key: jax.Array
) -> Steps:
    """Play to the horizon and let agents decide once more; ``owner i32[N]``, the groups at the seats, may be traced."""
    times = jnp.arange(seating.env.spec.horizon + 1, dtype=jnp.uint32)
    step = stepper(seating, owner, members, env_params, key)
    return jax.lax.scan(step, begin(seating, env_params, key), times)[1]


def begin(seating: Seating, env_params: Any, key: jax.Array) -> Now:
    """Return the start of an episode."""
    env = seating.env
    state, timestep = env.reset(jax.random.fold_in(key, env.spec.horizon + 1), env_params)
    return state, timestep, [start(learner) for learner in seating.learners]


def stepper(
    seating: Seating, owner: np.ndarray | jax.Array, members: tuple[Member, ...], env_params: Any, key: jax.Array
) -> Callable[[Now, jax.Array], tuple[Now, Steps]]:
    """Return the function ``(now, t u32[]) -> (now, record)`` that takes the step ``t`` of an episode."""
    env = seating.env

    def step(now, t):
        state, timestep, agent_states = now
        act_key, noise_key = jax.random.split(jax.random.fold_in(key, t))
        before = [agent_state.in_game(state, timestep) for agent_state in agent_states]
        actions, decided = _decide(seating, owner, members, state, before, act_key)
        noise_keys = jax.random.split(noise_key, 1)
        noise = env.sample_noise(noise_keys[0], env_params)
        next_state, after = env.transition(state, actions, noise, env_params)
        then = []
        for learner, member, rollout_state, (output, carry, memory) in zip(
            seating.learners, members, before, decided, strict=True
        ):
            shaper_state = observed_rewards(learner, member, rollout_state, after.reward[None])
            agent_state = AgentState(carry, memory, shaper_state)
            in_game = agent_state.in_game(next_state, after)
            in_game = with_interventions(learner, member, rollout_state, output, in_game, noise_keys)
            then.append(dataclasses.replace(agent_state, memory=in_game.memory))
        outputs = [dataclasses.replace(output, activations=None) for output, *_ in decided]
        return (next_state, after, then), Steps(state, timestep, noise, actions, agent_states, outputs)

    return step


def _decide(
    seating: Seating,
    owner: np.ndarray | jax.Array,
    members: tuple[Member, ...],
    state: Any,
    before: list[RolloutState],
    key: jax.Array,
) -> tuple[jax.Array, list[tuple[ActorOutput, Any, Any]]]:
    """Let everyone act once; return the actions i32[N] and, by team, ``(output, carry, memory)`` as `act` does.

    Some agents act after seeing others' actions. With teams of different kinds, the first round gives the actions of those who
    act first, the second those of everyone, and the third lets everyone remember them.
    """
    env, teams = seating.env, range(len(members))
    actions = jnp.full(env.spec.num_agents, -1, jnp.int32)
    for number, player in enumerate(seating.players):
        group = len(teams) + number
        player_key = jax.random.fold_in(key, number)
        chosen = _choose(player, seating.owner.index(group), player_key, env, state)
        actions = jnp.where(owner == group, chosen, actions)
    decided = []
    for _ in range(1 if len(teams) == 1 else 3):
        decided = []
        for team, learner, member, rollout_state in zip(teams, seating.learners, members, before, strict=True):
            alone = len(teams) + len(seating.players) == 1
            forced = None if alone else {"action": jnp.where(owner == team, -1, actions)[None]}
            decided.append(act(learner, member, rollout_state, key, forced))
        for team, (output, *_) in enumerate(decided):
            actions = jnp.where(owner == team, output.action[0], actions)
    return actions, decided


def _choose(player: Player, seat: int, key: jax.Array, env: Environment, state: Any) -> jax.Array:
    """Return a player's actions, i32[N].

    Raises:
        ConfigError: it is not a function in JAX, or returns something else.
    """
    try:
        chosen = jnp.asarray(player(key, env, state))
    except (jax.errors.JAXTypeError, TypeError) as error:
        problem = str(error).partition("\n")[0]
        raise ConfigError(
            f"agents[{seat}] fails ({type(error).__name__}: {problem}); allowed: a function (key, env, state) that JAX can "
            "compile, with jax.numpy in the place of NumPy."
        ) from error
    if chosen.shape != (env.spec.num_agents,) or not jnp.issubdtype(chosen.dtype, jnp.integer):
        raise ConfigError(
            f"agents[{seat}] returned {chosen.dtype}{list(chosen.shape)}; allowed: the actions of everybody, "
            f"int32[{env.spec.num_agents}]."
        )
    return chosen.astype(jnp.int32)


def _trace(seating: Seating, members: tuple[Member, ...], env_params: Any, steps: Steps) -> Trace:
    """Return the record of an episode up to its end."""
    length = int(np.flatnonzero(steps.timestep.last)[0])
    steps = jax.tree.map(lambda x: x[: length + 1], steps)
    spec = seating.env.spec
    log_policy = np.full((length, spec.num_agents, spec.num_actions), np.nan, np.float32)
    values = np.full((length, spec.num_agents), np.nan, np.float32)
    for group, output in enumerate(steps.outputs):
        seats = seating.seats(group)
        log_policy[:, seats] = output.log_policy["action"][:length, 0, seats]
        values[:, seats] = output.samples["action"].value[:length, 0, seats]
    talking = (
        steps.outputs and "message" in steps.outputs[0].samples
    )  # agents that talk only play with agents of the same kind
    team = None
    if len(members) == 1:
        team = Team(seating.learners[0], members[0], seating.seats(0), steps.agent_states[0])
    return Trace(
        env=seating.env,
        env_params=env_params,
        states=steps.state,
        timesteps=steps.timestep,
        noise=jax.tree.map(lambda x: x[:length], steps.noise),
        actions=np.asarray(steps.actions[:length]),
        log_policy=log_policy,
        values=values,
        influence=_influence(seating, steps),
        messages=np.asarray(steps.outputs[0].samples["message"].symbol[:length, 0]) if talking else None,
        message_log_policy=np.asarray(steps.outputs[0].log_policy["message"][:length, 0]) if talking else None,
        team=team,
    )


def _influence(seating: Seating, steps: Steps) -> np.ndarray:
    """Return the influence f32[T,K,J] of k's choice at each step."""
    length, num_agents = len(steps.actions) - 1, len(seating.owner)
    influence = np.zeros((length, num_agents, num_agents), np.float32)
    now, after = (jax.tree.map(lambda x, s=s: x[s, None], steps.timestep) for s in (slice(length), slice(1, None)))
    for group, (learner, output) in enumerate(zip(seating.learners, steps.outputs, strict=True)):
        trajectory = Trajectory(
            observation=now.observation,
            time=jnp.arange(length, dtype=jnp.int32)[:, None],
            first=now.first,
            valid=~now.last,
            visible=now.visible,
            actor_output=jax.tree.map(lambda x: x[:length], output),
            reward=after.reward,
            discount=after.discount,
            truncated=after.truncated,
            metrics=after.metrics,
        )
        bootstrap = jax.tree.map(lambda x: x[length], output)
        measured = np.asarray(learner.model.influence_of_choices(trajectory, bootstrap))[:, 0]
        seats = seating.seats(group)
        by_themselves = learner.model.source == "own model"  # k's own model of j, whatever kind j is
        counted = seats[:, None] & (np.ones_like(seats) if by_themselves else seats)
        influence = np.where(counted, measured, influence)
    return influence
