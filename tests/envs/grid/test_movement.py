"""Movement: single rules in edge cases, and crowds."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.envs import make

FIELD = ("PPPP", "PPPP", "PP@P")


@functools.partial(jax.jit, static_argnums=0)
def move(env, position, heading, actions, rank):
    return env.move(position, heading, actions, rank)


def step_all(env, position, heading, actions, rank=None):
    n = len(position)
    rank = range(n) if rank is None else rank
    arrays = (jnp.array(value, jnp.int32) for value in (position, heading, actions, rank))
    position, heading = jax.device_get(move(env, *arrays))
    return [tuple(cell) for cell in position.tolist()], heading.tolist()


@pytest.mark.parametrize(
    ("heading", "action", "cell"),
    [(h, a, c) for h, cells in enumerate(
        [[(1, 0), (1, 2), (0, 1), (2, 1)], [(0, 1), (2, 1), (1, 2), (1, 0)],
         [(1, 2), (1, 0), (2, 1), (0, 1)], [(2, 1), (0, 1), (1, 0), (1, 2)]]) for a, c in enumerate(cells)],
)  # fmt: skip
def test_steps_are_relative_to_the_heading(heading, action, cell):
    env = make("harvest", layout=FIELD, num_agents=1)
    assert step_all(env, [(1, 1)], [heading], [action]) == ([cell], [heading])


def test_turns():
    env = make("harvest", layout=FIELD, num_agents=4)
    corners = [(0, 0), (0, 3), (2, 0), (2, 3)]
    assert step_all(env, corners, [0, 1, 2, 3], [5, 5, 5, 5]) == (corners, [1, 2, 3, 0])
    assert step_all(env, corners, [0, 1, 2, 3], [6, 6, 6, 6]) == (corners, [3, 0, 1, 2])


def test_walls_and_edges_stop():
    env = make("harvest", layout=FIELD, num_agents=3)
    cells = [(0, 0), (1, 2), (2, 3)]
    assert step_all(env, cells, [0, 2, 1], [2, 2, 2])[0] == cells


def test_exchange_is_refused_and_a_ring_of_four_rotates():
    env = make("harvest", layout=FIELD, num_agents=2)
    assert step_all(env, [(0, 0), (0, 1)], [1, 3], [2, 2])[0] == [(0, 0), (0, 1)]
    env = make("harvest", layout=FIELD, num_agents=4)
    ring = [(0, 0), (0, 1), (1, 1), (1, 0)]
    assert step_all(env, ring, [1, 2, 3, 0], [2, 2, 2, 2])[0] == ring[1:] + ring[:1]


@pytest.mark.parametrize("length", [8, 40])
def test_chain_moves_as_one_or_not_at_all(length):
    """Also with more agents than bits in a word, in random order."""
    env = make("harvest", layout=("P" * (length + 1),), num_agents=length)
    order = np.random.default_rng(1).permutation(length)
    chain = [(0, int(column)) for column in order]
    assert step_all(env, chain, [1] * length, [2] * length)[0] == [(0, column + 1) for _, column in chain]
    actions = [7 if column == length - 1 else 2 for column in order]  # the first of the chain fires
    assert step_all(env, chain, [1] * length, actions)[0] == chain


@pytest.mark.parametrize("winner", [0, 1, 2])
def test_lowest_rank_wins_a_contested_cell(winner):
    env = make("harvest", layout=FIELD, num_agents=3)
    cells = [(0, 1), (1, 0), (1, 2)]
    rank = [(agent - winner) % 3 for agent in range(3)]
    moved = step_all(env, cells, [2, 1, 3], [2, 2, 2], rank)[0]
    assert moved == [(1, 1) if agent == winner else cell for agent, cell in enumerate(cells)]


def test_a_turning_agent_does_not_compete():
    """It has the lowest rank but wants no cell."""
    env = make("harvest", layout=FIELD, num_agents=2)
    assert step_all(env, [(0, 0), (0, 2)], [1, 3], [5, 2], [0, 1])[0] == [(0, 0), (0, 1)]


def test_two_agents_never_share_a_cell():
    """18 agents on 20 cells, all pushing: conflicts of every kind, with the ranks of all agents at random."""
    env = make("harvest", layout=("PPPPP", "PP@PP", "PPPPP", "PPPPP", "PPPP@"), num_agents=18)
    starts = env.start_cells
    rng = np.random.default_rng(0)
    trials = 3000
    position = np.stack([rng.permutation(starts)[:18] for _ in range(trials)])
    heading = rng.integers(0, 4, (trials, 18))
    actions = rng.choice(9, (trials, 18), p=[0.1, 0.1, 0.6, 0.05, 0.05, 0.05, 0.05, 0, 0])
    rank = np.stack([rng.permutation(18) for _ in range(trials)])
    moved, _ = jax.jit(jax.vmap(env.move))(*(jnp.asarray(x, jnp.int32) for x in (position, heading, actions, rank)))
    cells = np.asarray(moved) @ [100, 1]
    assert all(len(set(row)) == 18 for row in cells.tolist())
    assert (moved != position).any(axis=(1, 2)).mean() > 0.9
