"""Seating: which agent plays at which seat, with trained agents in teams of one kind, and players."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.config import InfluenceConfig
from influence_jax.envs.base import Environment
from influence_jax.evaluation.policy import Agent, Policy
from influence_jax.learner.learner import Learner
from influence_jax.learner.state import Member
from influence_jax.settings import ConfigError

Player = Callable[[jax.Array, Any, Any], jax.Array]  # (key, env, state) -> actions i32[N]

# Settings of influence that change what agents learn, and not how they act.
FOR_LEARNING = ("control", "bonus_actions", "pay", "credit", "listening_loss", "moa_train_only_visible")


@dataclasses.dataclass(frozen=True)
class Seating:
    """Who plays at which seat: seat n belongs to group ``owner[n]``. Teams, in the order of ``learners``, come before players."""

    env: Environment
    learners: tuple[Learner, ...]
    players: tuple[Player, ...]
    owner: tuple[int, ...]

    def seats(self, group: int) -> np.ndarray:
        """bool[N]: the seats of a group."""
        return np.array(self.owner) == group


def seated(agents: Any, env: Environment | None) -> tuple[Seating, tuple[Member, ...]]:
    """Group ``agents`` by kind and assign them to seats; see `influence_jax.play`.

    Returns:
        The seating, and for each team what its members act with, leading N.

    Raises:
        ConfigError: an agent cannot take its seat, or there is no game.
    """
    env, entries = _entries(agents, env)
    teams: dict[Any, dict[int, Agent]] = {}
    players: dict[Player, list[int]] = {}
    for seat, entry in enumerate(entries):
        if isinstance(entry, Agent):
            _refuse_other_games(entry.policy.learner, env, seat)
            teams.setdefault(_kind(entry.policy.learner), {})[seat] = entry
        else:
            players.setdefault(entry, []).append(seat)
    learners = tuple(_at(next(iter(team.values())).policy.learner, env) for team in teams.values())
    for learner in learners:
        if learner.model.network_spec.num_messages and len(teams) + len(players) > 1:
            raise ConfigError(
                "agents mixes those that talk with players, or with agents of other networks, influence models or shapers; "
                "allowed: agents that talk alike."
            )
    groups = {seat: group for group, seats in enumerate([*teams.values(), *players.values()]) for seat in seats}
    seating = Seating(env, learners, tuple(players), tuple(groups[seat] for seat in range(len(entries))))
    return seating, tuple(_member(team, len(entries)) for team in teams.values())


def _entries(agents: Any, env: Environment | None) -> tuple[Environment, list[Agent | Player]]:
    """Return the game, and who plays at each of its seats."""
    entries: list[Any] = (
        list(agents) if isinstance(agents, Sequence) and not isinstance(agents, Policy | str) else [agents]
    )
    for seat, entry in enumerate(entries):
        if not isinstance(entry, Policy | Agent) and not callable(entry):
            raise ConfigError(
                f"agents[{seat}] is of type {type(entry).__name__}; allowed: policies, such as run.policy(0), agents of them, "
                "and functions (key, env, state)."
            )
    if not entries:
        raise ConfigError("agents has no entries; allowed: one for each seat, or one for all.")
    if env is not None and not isinstance(env, Environment):
        raise ConfigError(f"env is {env!r}; allowed: an Environment, such as influence_jax.make('harvest').")
    if env is None:
        env = _game_of(entries)
    num_agents = env.spec.num_agents
    entries = entries * num_agents if len(entries) == 1 else entries
    if len(entries) != num_agents:
        raise ConfigError(
            f"agents has {len(entries)} entries for {num_agents} seats; allowed: one for each seat, or one for all."
        )
    return env, [entry[seat] if isinstance(entry, Policy) else entry for seat, entry in enumerate(entries)]


def _game_of(entries: Sequence[Policy | Agent | Player]) -> Environment:
    """Return the game of the first trained agent."""
    for entry in entries:
        if isinstance(entry, Policy | Agent):
            return (entry.policy if isinstance(entry, Agent) else entry).learner.env
    raise ConfigError("env is None with players alone; allowed: a game, such as influence_jax.make('harvest').")


def _refuse_other_games(learner: Learner, env: Environment, seat: int) -> None:
    for name in ("num_agents", "num_actions", "observation_shape"):
        found, wanted = (getattr(game.spec, name) for game in (learner.env, env))
        if found != wanted:
            raise ConfigError(f"agents[{seat}] was trained with {name} {found}; allowed in this game: {wanted}.")


def _kind(learner: Learner) -> Any:
    """Return what agents of one team must have in common.

    Networks, influence models and shapers are functions, which two runs do not share, so the settings that define them are
    compared.
    """
    if learner.replaced:
        return id(learner)
    settings = learner.config
    usual = InfluenceConfig()
    influence = dataclasses.replace(settings.influence, **{name: getattr(usual, name) for name in FOR_LEARNING})
    return settings.network, influence, settings.learner.shaper, learner.observe_rewards


@functools.lru_cache(maxsize=16)
def _at(learner: Learner, env: Environment) -> Learner:
    return learner if learner.env is env else dataclasses.replace(learner, env=env)


def _member(team: dict[int, Agent], num_agents: int) -> Member:
    """Return the parameters by seat; other seats, whose actions are ignored, get arbitrary parameters."""
    anybody = next(iter(team.values()))
    agents = [team.get(seat, anybody) for seat in range(num_agents)]

    def of_agents(part):
        trees = [jax.tree.map(lambda x, n=agent.number: x[n], part(agent.policy.member)) for agent in agents]
        return jax.tree.map(lambda *x: jnp.stack(x), *trees)

    return Member(
        params=of_agents(lambda member: member.params),
        env_params=anybody.policy.member.env_params,
        hyperparams=of_agents(lambda member: member.hyperparams),
    )
