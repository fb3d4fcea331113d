"""An open field: two agents that look one way and may share a cell."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.envs.grid import movement, primitives, vision
from influence_jax.envs.grid.world import GridWorld
from influence_jax.platforms import usual_promotion
from influence_jax.settings import ConfigError, choice, flag, integer, texts

STEPS = np.concatenate([movement.DIRECTIONS, [[0, 0]]]).astype(np.int32)  # (row, column), by action


@dataclasses.dataclass(frozen=True, kw_only=True)
class OpenField(GridWorld):
    """Two agents on a field without walls; the abstract base of `Coins` and `StagHunt`.

    Actions are ``up``, ``right``, ``down``, ``left`` and ``stay``; headings are always 0, up. Where both agents stand on one
    cell, agent 1 is drawn. A class says whether its field ``wraps``: whoever leaves it on one side enters it on the other, and
    views go on there; otherwise nobody leaves, and views show a wall around it. ``things`` is how many cells are taken by
    something else than agents.
    """

    layout: Sequence[str] | str = texts(("PPPPP",) * 5, "A field of your own, one text per row.")
    num_agents: int = integer(2, 2, "There are two.", high=2)
    horizon: int = integer(100, 1, "Environment steps per episode.")
    view: str = choice("egocentric", ("egocentric",), "Views are not turned, since agents are not.")
    beams_visible: bool | None = flag(False, "There are no beams.")
    headings_visible: bool = choice(False, (False,), "There are no headings to see.")

    letters: ClassVar[str] = " P"
    action_names: ClassVar[tuple[str, ...]] = ("up", "right", "down", "left", "stay")
    wraps: ClassVar[bool]
    things: ClassVar[int]

    def __post_init__(self) -> None:
        super().__post_init__()
        fewest = self.num_agents + self.things + 1
        if self.drawing.size < fewest:
            raise ConfigError(
                f"layout has {self.drawing.size} cells; at least {fewest} are allowed, so that one is free."
            )

    @property
    def size(self) -> np.ndarray:
        """i32[2]: rows and columns of the field."""
        return np.array(self.walls.shape, np.int32)

    def walk(self, position: jax.Array, actions: jax.Array) -> jax.Array:
        """Return ``position i32[2,2]`` after the steps ``actions i32[2]``."""
        stay = len(STEPS) - 1
        position = position + jnp.asarray(STEPS)[jnp.where((actions >= 0) & (actions < stay), actions, stay)]
        return position % self.size if self.wraps else jnp.clip(position, 0, self.size - 1)

    def marked(self, cell: jax.Array) -> jax.Array:
        """Return bool[H,W]: the cells of number ``cell i32[K]``."""
        return primitives.put(jnp.zeros(self.walls.shape, bool), cell, value=True)

    def free_cell(self, taken: jax.Array, draw: jax.Array) -> jax.Array:
        """Return i32[], the number of a cell not in ``taken bool[H,W]``, uniform for ``draw f32[]`` in [0,1)."""
        sites = ~self.walls
        count = primitives.count_free(taken, sites=sites)
        pick = jnp.minimum((draw * count).astype(jnp.int32), count - 1)  # the product may round up to count
        return primitives.nth_free(taken, pick, sites=sites)

    @usual_promotion()
    def observe(self, state: Any) -> tuple[jax.Array, jax.Array]:
        """Return ``(observation u8[2,V,V,3], visible bool[2,2])``."""
        radius, cell = self.view_radius, self.number(state.position)
        agents = jnp.stack([jnp.where(cell[0] == cell[1], -1, cell[0]), cell[1]])
        codes = primitives.paint_agents(self.cell_codes(state), agents)
        codes = jnp.pad(codes, radius, "wrap") if self.wraps else jnp.pad(codes, radius, constant_values=vision.WALL)
        position, palette = state.position + radius, self.palette
        seen = primitives.windows(codes, position, state.heading, radius=radius, num_codes=len(palette))
        return primitives.colour(seen, palette=palette), self.visible(state.position)

    def visible(self, position: jax.Array) -> jax.Array:
        """Return bool[2,2]: the agent of the column is in the window of the agent of the row; the diagonal is False."""
        apart = abs(position[:, None] - position)
        near = apart <= self.view_radius
        if self.wraps:
            near |= apart >= self.size - self.view_radius
        return near.all(axis=-1) & ~np.eye(self.num_agents, dtype=bool)
