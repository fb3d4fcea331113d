"""Scripted players, whose returns put learned returns into perspective.

A player is a function ``player(key, env, state) -> actions i32[N]`` that knows the true state of `Cleanup` or `Harvest`;
`uniform` plays any game. It is pure JAX code for one environment, so it may be vmapped and scanned. `team` gives each agent its
own player.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from influence_jax.envs.base import Environment
from influence_jax.envs.grid import movement, primitives
from influence_jax.envs.grid.world import GridWorld
from influence_jax.envs.harvest import Harvest

Player = Callable[[jax.Array, Any, Any], jax.Array]  # of a key, a game and its state

FAR = np.int16(np.iinfo(np.int16).max - 1)  # distance of cells from which no target can be reached
_STEP_BY_QUARTER = np.array([movement.FORWARD, movement.RIGHT, movement.BACKWARD, movement.LEFT], np.int32)


def uniform(key: jax.Array, env: Environment, state: Any) -> jax.Array:
    """Choose uniformly among all actions."""
    del state
    return jax.random.randint(key, (env.spec.num_agents,), 0, env.spec.num_actions)


def uniform_without_fire(key: jax.Array, env: GridWorld, state: Any) -> jax.Array:
    """Choose uniformly among all actions except firing."""
    del state
    actions = jax.random.randint(key, (env.num_agents,), 0, env.spec.num_actions - 1)
    return actions + (actions >= movement.FIRE)


def greedy(key: jax.Array, env: GridWorld, state: Any) -> jax.Array:
    """Walk to the nearest apple, regardless of the others."""
    return walk(key, env, state, state.apples, np.zeros_like(env.walls))


def sustainable(min_neighbours: int) -> Player:
    """Return a Harvest player that walks to, and steps on, only apples with at least ``min_neighbours`` apples around them."""

    def player(key: jax.Array, env: Harvest, state: Any) -> jax.Array:
        ripe = state.apples & (env.apple_neighbours(state.apples) >= min_neighbours)
        return walk(key, env, state, ripe, state.apples & ~ripe)

    return player


def cleaner(key: jax.Array, env: GridWorld, state: Any) -> jax.Array:
    """Clean if the beam would hit waste, turn clockwise if another heading would, else walk to the nearest waste (Cleanup)."""
    counts = [_waste_ahead(env, state, (state.heading + turns) % 4) for turns in range(4)]
    would_help = functools.reduce(jnp.maximum, counts) > 0
    going = walk(key, env, state, state.waste, np.zeros_like(env.walls))
    return jnp.select([counts[0] > 0, would_help], [movement.CLEAN, movement.TURN_CLOCKWISE], going)


def noisy(player: Player, share: float = 0.1) -> Player:
    """Return ``player`` with a fraction ``share`` of its actions random, never firing; this also breaks deadlocks."""

    def mixed(key: jax.Array, env: GridWorld, state: Any) -> jax.Array:
        slip_key, random_key, player_key = jax.random.split(key, 3)
        slips = jax.random.bernoulli(slip_key, share, (env.num_agents,))
        return jnp.where(slips, uniform_without_fire(random_key, env, state), player(player_key, env, state))

    return mixed


def team(*roles: Player) -> Player:
    """Return the player in which agent n plays ``roles[n]``; it raises a ValueError unless there is one role per agent."""

    def player(key: jax.Array, env: GridWorld, state: Any) -> jax.Array:
        if len(roles) != env.num_agents:
            raise ValueError(
                f"the team has {len(roles)} roles and the environment {env.num_agents} agents; give one role per agent."
            )
        distinct = tuple(dict.fromkeys(roles))
        keys = jax.random.split(key, len(distinct))
        actions = {role: role(role_key, env, state) for role, role_key in zip(distinct, keys, strict=True)}
        return jnp.stack([actions[role][agent] for agent, role in enumerate(roles)])

    return player


def walk(key: jax.Array, env: GridWorld, state: Any, targets: jax.Array, closed: ArrayLike) -> jax.Array:
    """Return the first step of a shortest path from each agent to the nearest target, with ties broken at random.

    Agents are obstacles, so that nobody waits for another agent to move. An agent that can reach no target stays.

    Args:
        key: for breaking ties.
        env: the environment.
        state: its state.
        targets: bool[H,W], cells to reach.
        closed: bool[H,W], cells to avoid, in addition to walls and agents.
    """
    obstacles = ~env.unoccupied(~(env.walls | closed), state.position)
    distance = jnp.pad(distances(targets & ~obstacles, obstacles), 1, constant_values=FAR)
    rows, columns = state.position.T[..., None] + 1 + movement.DIRECTIONS.T[:, None]  # [N,4]
    ahead = distance[rows, columns] + jax.random.uniform(key, rows.shape)
    quarter = (jnp.argmin(ahead, axis=1) - state.heading) % 4
    return jnp.where(jnp.min(ahead, axis=1) < FAR, jnp.asarray(_STEP_BY_QUARTER)[quarter], movement.STAY)


def distances(targets: jax.Array, obstacles: jax.Array) -> jax.Array:
    """Return i16[H,W]: steps from each cell to the nearest of ``targets bool[H,W]`` around ``obstacles``, or FAR."""

    def spread(wave):
        distance, _ = wave
        padded = jnp.pad(distance, 1, constant_values=FAR)
        near = jnp.minimum(
            jnp.minimum(padded[:-2, 1:-1], padded[2:, 1:-1]), jnp.minimum(padded[1:-1, :-2], padded[1:-1, 2:])
        )
        closer = jnp.where(obstacles, FAR, jnp.minimum(distance, jnp.minimum(near + 1, FAR)))
        return closer, jnp.any(closer != distance)

    start = jnp.where(targets, jnp.int16(0), FAR)
    return jax.lax.while_loop(lambda wave: wave[1], spread, (start, jnp.any(targets)))[0]


def _waste_ahead(env: GridWorld, state: Any, heading: jax.Array) -> jax.Array:
    """Return i32[N]: the waste cells that each agent alone would remove by cleaning with ``heading i32[N]``."""
    cell = primitives.cells_ahead(state.position, heading, walls=env.walls, length=env.beam_length)
    dirty = (cell >= 0) & primitives.get(state.waste, cell)
    return jnp.sum(jnp.any(dirty, axis=0), axis=0)
