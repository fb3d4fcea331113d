"""One episode, by whoever sits down: trained agents of any runs, scripted players, or functions of one's own."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.envs import with_numbers
from influence_jax.envs.base import Environment
from influence_jax.evaluation.policy import Agent, Policy, start
from influence_jax.evaluation.programs import compiled
from influence_jax.evaluation.trace import Trace
from influence_jax.learner.learner import Learner
from influence_jax.learner.rollout import act, observed_rewards
from influence_jax.learner.state import Member, RolloutState
from influence_jax.settings import INT32_MAX, Choices, ConfigError, Integers, checked
from influence_jax.types import Trajectory

Player = Callable[[jax.Array, Environment, Any], jax.Array]  # (key, env, state) -> actions i32[N]


@dataclasses.dataclass(frozen=True)
class Table:
    """Who sits where: seat n belongs to group ``owner[n]``, one of the kinds of trained agents and then of the players."""

    env: Environment
    learners: tuple[Learner, ...]
    players: tuple[Player, ...]
    owner: tuple[int, ...]

    def seats(self, group: int) -> np.ndarray:
        """bool[N]: the seats of a group."""
        return np.array(self.owner) == group


def play(
    agents: Policy | Player | Sequence[Policy | Agent | Player],
    env: Environment | None = None,
    *,
    params: Any = None,
    seed: int = 0,
    real: bool = False,
) -> Trace:
    """Play one episode and return everything that happened in it.

    >>> a, b = influence_jax.load("runs/a").policy(0), influence_jax.load("runs/b").policy(0)
    >>> influence_jax.play([a, a, b, b, b]).rewards.sum(axis=0)  # agents 0 and 1 of run a with 2 to 4 of run b

    Agents of runs with the same network, influence and rewards make up one team, in which everything is as in training. Of
    different kinds, everybody sees what the others really do, but influence is only that which agents measure by themselves.

    Args:
        agents: who plays, one for each seat or one for all. A policy plays at seat n as its agent n; ``policy[m]`` is its agent
            m at any seat. A player is a function ``(key, env, state) -> actions i32[N]`` in JAX, such as those of
            `influence_jax.envs.scripted`, of whose actions that of its seat counts.
        env: the game; by default that of the first policy.
        params: parameters of the game, such as ``{"hit_penalty": 0}``, instead of those that the first policy was trained with;
            in a game of another kind instead of the game's defaults.
        seed: the same seed gives the same episode to the bit.
        real: whether to find out the real influence of every action too, see `Trace.real_influence`.

    Raises:
        ConfigError: somebody cannot sit where they should, or there is no game.
    """
    checked("seed", seed, Integers(0, INT32_MAX))
    checked("real", real, Choices((True, False)))
    table, members = _seated(agents, env)
    env_params = table.env.default_params
    if members and _alike(members[0].env_params, env_params):
        env_params = members[0].env_params
    env_params = with_numbers("params", env_params, {} if params is None else params)
    members = tuple(member.replace(env_params=env_params) for member in members)
    steps = jax.device_get(_episode(table, members, env_params, jax.random.key(seed)))
    length = int(np.flatnonzero(steps["timestep"].last)[0])
    steps = jax.tree.map(lambda x: x[: length + 1], steps)
    trace = Trace(
        env=table.env,
        states=steps["state"],
        observations=steps["timestep"].observation[:length],
        actions=steps["actions"][:length],
        rewards=steps["timestep"].reward[1:],
        log_policy=steps["log_policy"][:length],
        values=steps["values"][:length],
        visible=steps["timestep"].visible[:length],
        influence=_influence(table, steps, length),
        metrics={name: x[1:] for name, x in steps["timestep"].metrics.items()},
        messages=steps["messages"][:length] if "messages" in steps else None,
        message_log_policy=steps["message_log_policy"][:length] if "messages" in steps else None,
        team=table.seats(0) if len(members) == 1 else np.zeros(len(table.owner), bool),
        _learner=table.learners[0] if len(members) == 1 else None,
        _member=members[0] if len(members) == 1 else None,
        _agent_states=steps["agent_states"][0] if len(members) == 1 else None,
        _timesteps=steps["timestep"],
        _noise=jax.tree.map(lambda x: x[:length], steps["noise"]),
        _env_params=env_params,
    )
    return dataclasses.replace(trace, real_influence=trace._find_real_influence()) if real else trace


def _seated(agents: Any, env: Environment | None) -> tuple[Table, tuple[Member, ...]]:
    """Sort agents into groups that are trained alike, and put each at its seat."""
    alone = list(agents) if isinstance(agents, Sequence) and not isinstance(agents, Policy | str) else [agents]
    for seat, entry in enumerate(alone):
        if not isinstance(entry, Policy | Agent) and not callable(entry):
            raise ConfigError(
                f"agents[{seat}] is of type {type(entry).__name__}; allowed are policies, such as run.policy(0), agents of them, "
                "and functions (key, env, state)."
            )
    if not alone:
        raise ConfigError("agents has no entries; allowed: one for each seat, or one for all.")
    if env is not None and not isinstance(env, Environment):
        raise ConfigError(f"env is {env!r}; allowed: an Environment, such as influence_jax.make('harvest').")
    policies = [entry.policy if isinstance(entry, Agent) else entry for entry in alone]
    trained = [policy for policy in policies if isinstance(policy, Policy)]
    if env is None and not trained:
        raise ConfigError(
            "env is None with players alone; allowed there: a game, such as influence_jax.make('harvest')."
        )
    env = trained[0].learner.env if env is None else env
    spec = env.spec
    entries = alone * spec.num_agents if len(alone) == 1 else alone
    if len(entries) != spec.num_agents:
        raise ConfigError(
            f"agents has {len(entries)} entries for {spec.num_agents} seats; allowed: one for each seat, or one for all."
        )
    groups: dict[Any, list[tuple[int, Agent]]] = {}
    players: dict[Player, list[int]] = {}
    for seat, entry in enumerate(entries):
        if isinstance(entry, Policy):
            entry = entry[seat]
        if isinstance(entry, Agent):
            _refuse_other_games(entry.policy.learner, env, seat)
            groups.setdefault(_kind(entry.policy.learner), []).append((seat, entry))
        else:
            players.setdefault(entry, []).append(seat)
    learners = tuple(_at(members[0][1].policy.learner, env) for members in groups.values())
    for learner in learners:
        if learner.model.network_spec.num_messages and len(groups) + len(players) > 1:
            raise ConfigError("agents mixes those that talk with others; allowed with them are agents that talk alike.")
    owner = np.zeros(spec.num_agents, int)
    for group, seats in enumerate([*([s for s, _ in members] for members in groups.values()), *players.values()]):
        owner[seats] = group
    table = Table(env, learners, tuple(players), tuple(owner.tolist()))
    return table, tuple(_team(dict(members), spec.num_agents) for members in groups.values())


def _alike(a: Any, b: Any) -> bool:
    """Whether two games have parameters of the same type and shapes."""
    return type(a) is type(b) and jax.tree.map(np.shape, a) == jax.tree.map(np.shape, b)


def _choose(player: Player, seat: int, key: jax.Array, env: Environment, state: Any) -> jax.Array:
    """Return what a player chooses, i32[N].

    Raises:
        ConfigError: it is no function of JAX, or chooses something else.
    """
    try:
        chosen = jnp.asarray(player(key, env, state))
    except (jax.errors.JAXTypeError, TypeError) as error:
        problem = str(error).partition("\n")[0]
        raise ConfigError(
            f"agents[{seat}] fails ({type(error).__name__}: {problem}); allowed is a function (key, env, state) that JAX can "
            "compile, with jax.numpy in the place of NumPy."
        ) from error
    if chosen.shape != (env.spec.num_agents,) or not jnp.issubdtype(chosen.dtype, jnp.integer):
        raise ConfigError(
            f"agents[{seat}] returned {chosen.dtype}{list(chosen.shape)}; allowed are the actions of everybody, "
            f"int32[{env.spec.num_agents}]."
        )
    return chosen.astype(jnp.int32)


def _kind(learner: Learner) -> Any:
    """What must be the same for agents to be one team."""
    if learner.replaced:
        return id(learner)
    config = learner.config
    return config.network, config.influence, config.learner.observe_rewards, config.learner.shaper


@functools.lru_cache(maxsize=16)
def _at(learner: Learner, env: Environment) -> Learner:
    return learner if learner.env is env else dataclasses.replace(learner, env=env)


def _refuse_other_games(learner: Learner, env: Environment, seat: int) -> None:
    for name in ("num_agents", "num_actions", "observation_shape"):
        found, wanted = (getattr(game.spec, name) for game in (learner.env, env))
        if found != wanted:
            raise ConfigError(f"agents[{seat}] was trained with {name} {found}; allowed in this game: {wanted}.")


def _team(agents: dict[int, Agent], num_agents: int) -> Member:
    """Return the parameters by seat; at seats of others, whose actions do not count, those of anybody."""
    anybody = next(iter(agents.values()))
    seated = [agents.get(seat, anybody) for seat in range(num_agents)]

    def of_agents(part):
        trees = [jax.tree.map(lambda x, n=agent.number: x[n], part(agent.policy.member)) for agent in seated]
        return jax.tree.map(lambda *x: jnp.stack(x), *trees)

    return Member(
        params=of_agents(lambda member: member.params),
        env_params=anybody.policy.member.env_params,
        hyperparams=of_agents(lambda member: member.hyperparams),
    )


@compiled()
def _episode(table: Table, members: tuple[Member, ...], env_params: Any, key: jax.Array) -> dict[str, Any]:
    """Play to the horizon and one decision further; what is returned has a leading axis of time."""
    env, groups = table.env, list(zip(table.learners, members, strict=True))

    def one_more(x):
        return jax.tree.map(lambda x: x[None], x)

    def rollout_state(agent_state, state, timestep):
        return RolloutState(
            one_more(state), one_more(timestep), agent_state.carry, agent_state.memory, agent_state.shaper_state
        )

    def step(now, t):
        state, timestep, agent_states = now
        act_key, noise_key = jax.random.split(jax.random.fold_in(key, t))
        actions = jnp.full(env.spec.num_agents, -1, jnp.int32)
        for number, player in enumerate(table.players):
            seats = table.seats(len(groups) + number)
            player_key = jax.random.fold_in(act_key, number)
            chosen = _choose(player, int(np.argmax(seats)), player_key, env, state)
            actions = jnp.where(seats, chosen, actions)
        # Some act after having seen others act. With agents of different kinds, the first round shows what those do who act
        # first, the second what everybody does, and the third tells everybody so.
        for _ in range(1 if len(groups) == 1 else 3):
            decided = []
            for group, ((learner, member), agent_state) in enumerate(zip(groups, agent_states, strict=True)):
                seats, now = table.seats(group), rollout_state(agent_state, state, timestep)
                forced = None if seats.all() else {"action": jnp.where(seats, -1, actions)[None]}
                decided.append(act(learner, member, now, act_key, forced))
            for group, (output, *_) in enumerate(decided):
                actions = jnp.where(table.seats(group), output.action[0], actions)
        log_policy = jnp.full((env.spec.num_agents, env.spec.num_actions), jnp.nan, jnp.float32)
        values = jnp.full(env.spec.num_agents, jnp.nan, jnp.float32)
        for group, (output, *_) in enumerate(decided):
            log_policy = jnp.where(table.seats(group)[:, None], output.log_policy["action"][0], log_policy)
            values = jnp.where(table.seats(group), output.samples["action"].value[0], values)
        noise = env.sample_noise(jax.random.split(noise_key, 1)[0], env_params)
        next_state, after = env.transition(state, actions, noise, env_params)
        then = [
            agent_state.replace(
                carry=carry,
                memory=memory,
                shaper_state=observed_rewards(
                    learner, member, rollout_state(agent_state, state, timestep), after.reward[None]
                ),
            )
            for (learner, member), agent_state, (_, carry, memory) in zip(groups, agent_states, decided, strict=True)
        ]
        seen = {
            "state": state,
            "timestep": timestep,
            "actions": actions,
            "log_policy": log_policy,
            "values": values,
            "noise": noise,
            "agent_states": agent_states,
            "outputs": [output.replace(activations=None) for output, *_ in decided],
        }
        if groups and "message" in decided[0][0].samples:
            seen["messages"] = decided[0][0].samples["message"].symbol[0]
            seen["message_log_policy"] = decided[0][0].log_policy["message"][0]
        return (next_state, after, then), seen

    state, timestep = env.reset(jax.random.fold_in(key, env.spec.horizon + 1), env_params)
    agent_states = [start(learner) for learner in table.learners]
    times = jnp.arange(env.spec.horizon + 1, dtype=jnp.uint32)
    return jax.lax.scan(step, (state, timestep, agent_states), times)[1]


def _influence(table: Table, steps: dict[str, Any], length: int) -> np.ndarray:
    """Return the influence f32[T,K,J] by what k chose at each step."""
    num_agents = len(table.owner)
    influence = np.zeros((length, num_agents, num_agents), np.float32)
    now, after = (jax.tree.map(lambda x, s=s: x[s], steps["timestep"]) for s in (slice(length), slice(1, length + 1)))
    for group, (learner, output) in enumerate(zip(table.learners, steps["outputs"], strict=True)):
        trajectory = Trajectory(
            observation=now.observation[:, None],
            time=np.arange(length, dtype=np.int32)[:, None],
            first=now.first[:, None],
            valid=~now.last[:, None],
            visible=now.visible[:, None],
            actor_output=jax.tree.map(lambda x: x[:length], output),
            reward=after.reward[:, None],
            discount=after.discount[:, None],
            truncated=after.truncated[:, None],
            metrics=jax.tree.map(lambda x: x[:, None], after.metrics),
        )
        bootstrap = jax.tree.map(lambda x: x[length], output)
        measured = np.asarray(learner.model.influence_of_choices(trajectory, bootstrap))[:, 0]
        seats = table.seats(group)
        by_themselves = learner.model.source == "own model"  # of k about j, whoever j is
        counted = seats[:, None] & (np.ones_like(seats) if by_themselves else seats)
        influence = np.where(counted, measured, influence)
    return influence
