"""Cross play: each run's agents, one at a time, among the agents of each other run."""

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.analysis.arguments import level
from influence_jax.analysis.cross_play import CrossPlay
from influence_jax.analysis.labels import distinct
from influence_jax.analysis.members import name_of
from influence_jax.analysis.statistics import CONFIDENCE
from influence_jax.envs.base import Environment
from influence_jax.evaluation.play import env_params_of, unroll
from influence_jax.evaluation.policy import Policy, policy_of
from influence_jax.evaluation.programs import compiled
from influence_jax.evaluation.seating import Player, Seating, seated
from influence_jax.learner.learner import Learner
from influence_jax.learner.state import LearnerState, Member
from influence_jax.settings import INT32_MAX, ConfigError, Integers, checked, short_repr

MOST_EPISODES = 10**6
ALLOWED = "runs, policies such as run.policy(0), and players, functions (key, env, state)"


@dataclasses.dataclass(frozen=True)
class Entry:
    """Who plays in one row and column."""

    first: Policy | Player  # a player, or the first member's agents
    members: Member | None = None  # of the agents, leading S, without parameters of the game; None for players
    seeds: int = 1


def cross_play(
    runs: Any,
    env: Environment | None = None,
    *,
    params: Any = None,
    num_episodes: int = 20,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> CrossPlay:
    """Let one agent of each run play among agents of each run, itself included.

    In episode p the one agent has seat p modulo N, so that all seats count alike in a multiple of N episodes. Agents play at
    seat n as agent n of their run. Seed m of one run plays with seed m of another, for as many seeds as the runs have; a policy
    and a player play with every seed. Episode p of seed m is that of `influence_jax.play` with the seed
    ``seed + m num_episodes + p``.

    Args:
        runs: runs, policies and players (functions, as `influence_jax.play` takes them), in a sequence or by names of your own.
            To let seeds of one run play with each other, give their policies.
        env: the game; by default that of the first run.
        params: parameters of the game that replace those of the first run's training, which all pairs play with.
        num_episodes: episodes of each pair.
        seed: of the games, which are the same for every pair.
        confidence: level of the intervals.

    Raises:
        ConfigError: agents cannot play together, or there is no game.

    Example:
        >>> matrix = influence_jax.cross_play([run.policy(0), run.policy(1)], num_episodes=2)
        >>> figure = influence_jax.plot_cross_play(matrix)  # the numbers: matrix.means, matrix.rows()
    """
    checked("num_episodes", num_episodes, Integers(1, MOST_EPISODES))
    checked("seed", seed, Integers(0, INT32_MAX))
    confidence, entries = level(confidence), _entries(runs)
    policies = [entry.first for entry in entries.values() if isinstance(entry.first, Policy)]
    env = seated(policies[:1] or next(iter(entries.values())).first, env)[0].env
    num_agents = env.spec.num_agents
    if num_agents < 2:
        raise ConfigError(f"env has {num_agents} agent; allowed: games of two or more.")
    env_params = env_params_of(env, tuple(policy.member for policy in policies[:1]), params)
    seeds = min((entry.seeds for entry in entries.values() if entry.seeds > 1), default=1)
    rounds = -(-num_episodes // num_agents)  # in which the one agent takes every seat; what is too much is dropped
    games = seed + np.arange(seeds)[:, None] * num_episodes + np.arange(rounds * num_agents)
    keys = jax.vmap(jax.random.key)(games.astype(np.uint32).ravel()).reshape(seeds, rounds, num_agents)
    seatings = {pair: _seating(pair, entries, env) for pair in itertools.product(entries, entries)}
    members = {name: _members(entry, seeds) for name, entry in entries.items()}
    played = [
        jax.device_get(_returns(seating, members[one], members[company], env_params, keys))
        for (one, company), seating in seatings.items()
    ]
    returns = np.array(played).reshape(len(entries), len(entries), seeds, -1, num_agents)[:, :, :, :num_episodes]
    mine = np.arange(num_episodes)[:, None] % num_agents == np.arange(num_agents)
    company = np.where(mine, 0, returns).sum(axis=-1) / (num_agents - 1)
    return CrossPlay(tuple(entries), np.where(mine, returns, 0).sum(axis=-1), company, confidence)


def _entries(runs: Any) -> dict[str, Entry]:
    """Return who plays, by name."""
    if isinstance(runs, Mapping) and all(isinstance(name, str) for name in runs):
        found = dict(runs)
    elif isinstance(runs, list | tuple):
        found = dict(zip(distinct([_name(who) for who in runs]), runs, strict=True))
    else:
        raise ConfigError(f"runs is {short_repr(runs)}; allowed: {ALLOWED}, several in a list or by names.")
    if not found:
        raise ConfigError(f"runs has no entries; allowed: {ALLOWED}.")
    return {name: _entry(name, who) for name, who in found.items()}


def _name(who: Any) -> str:
    if isinstance(who, Policy):
        return name_of(who.learner)
    return name_of(who) if hasattr(who, "config") else getattr(who, "__name__", type(who).__name__)


def _entry(name: str, who: Any) -> Entry:
    if isinstance(who, Policy):
        return Entry(who, jax.tree.map(lambda x: x[None], dataclasses.replace(who.member, env_params=None)))
    player, learner, state = who, *(getattr(who, part, None) for part in ("learner", "state"))
    if isinstance(learner, Learner) and isinstance(state, LearnerState):
        members = dataclasses.replace(state.member, env_params=None)
        return Entry(policy_of(learner, state), members, len(state.update))
    if not callable(who):
        raise ConfigError(f"runs has {name!r} of type {type(who).__name__}; allowed: {ALLOWED}.")
    return Entry(player)


def _seating(pair: tuple[str, str], entries: Mapping[str, Entry], env: Environment) -> Seating:
    """Seat an agent of the first entry at seat 0, and agents of the second at all others."""
    one, company = (entries[name].first for name in pair)
    try:
        seating, _ = seated([one] + [company] * (env.spec.num_agents - 1), env)
    except ConfigError as error:
        raise ConfigError(f"runs has {pair[0]!r} and {pair[1]!r}, which cannot play together: {error}") from None
    return dataclasses.replace(seating, learners=tuple(learner.template for learner in seating.learners))


def _members(entry: Entry, seeds: int) -> Member | None:
    """Return the first ``seeds`` members; a single one plays with all seeds."""
    return jax.tree.map(lambda x: x[:seeds] if entry.seeds > 1 else jnp.repeat(x, seeds, axis=0), entry.members)


@compiled()
def _returns(
    seating: Seating, one: Member | None, company: Member | None, env_params: Any, keys: jax.Array
) -> jax.Array:
    """Return all agents' returns, f32[S,rounds,seat,N]; ``seating`` has the one agent at seat 0, and keys are [S,rounds,seat]."""
    agents = jnp.arange(seating.env.spec.num_agents, dtype=jnp.int32)
    first, second = seating.owner[:2]

    def at_seat(one: Member | None, company: Member | None, seat: jax.Array, keys: jax.Array) -> jax.Array:
        mine = agents == seat
        members = [member for member in (one, company) if member is not None]
        if len(seating.learners) < len(members):  # agents of one kind, which are a team
            members = [jax.tree.map(lambda x, y: jnp.where(mine.reshape(-1, *[1] * (x.ndim - 1)), x, y), *members)]
        members = tuple(dataclasses.replace(member, env_params=env_params) for member in members)

        def episode(key: jax.Array) -> jax.Array:
            timestep = unroll(seating, jnp.where(mine, first, second), members, env_params, key).timestep
            last = timestep.last.astype(jnp.int32)
            over = jnp.cumsum(last) > last  # after a game that ends before its horizon
            return jnp.where(over[:, None], 0.0, timestep.reward).sum(axis=0)

        return jax.vmap(episode)(keys)

    at_seats = jax.vmap(at_seat, in_axes=(None, None, 0, 1), out_axes=1)
    return jax.vmap(at_seats, in_axes=(0, 0, None, 0))(one, company, agents, keys)
