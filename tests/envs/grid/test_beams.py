"""Which beam is the last on a cell."""

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.envs import make
from influence_jax.envs.grid import movement


def test_a_beam_of_many_agents_keeps_the_order():
    """Two of 12 agents fire, the next two clean, and so on, so that every crossing is of both kinds."""
    env = make("cleanup", layout=("P" * 12, " " * 12, " " * 12, " " * 12), num_agents=12)
    position = jnp.array([(0, column) for column in range(12)])
    fires = np.arange(12) // 2 % 2 == 0
    rank = np.random.default_rng(1).permutation(12)
    actions = jnp.where(fires, movement.FIRE, movement.CLEAN)
    _, beam_map, *_ = jax.jit(env.beam)(
        position, jnp.full(12, 2), actions, jnp.asarray(rank), jnp.zeros(env.walls.shape, bool)
    )
    for column in range(
        12
    ):  # a cell of row 1 is crossed by the middle lane above it; the side lanes end at the neighbours
        assert beam_map[1, column] == (1 if fires[column] else 2)
    for column in range(12):
        crossing = [agent for agent in (column - 1, column + 1) if 0 <= agent < 12]
        last = max(crossing, key=lambda agent: rank[agent])
        assert beam_map[0, column] == (1 if fires[last] else 2)
