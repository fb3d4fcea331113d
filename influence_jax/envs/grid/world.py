"""What all grid games share: options and their validation, placing agents, moving, beams and views."""

import abc
import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from influence_jax.envs.base import Environment
from influence_jax.envs.grid import maps, primitives, random_bits, vision
from influence_jax.envs.grid.render import Scene, render_maps
from influence_jax.platforms import usual_promotion
from influence_jax.settings import ConfigError, check_fields, choice, flag, integer
from influence_jax.types import Colours, EnvSpec

VIEWS = ("egocentric", "reference")


@dataclasses.dataclass(frozen=True, kw_only=True)
class GridWorld(Environment):
    """Agents with headings on a map; the abstract base of all games on a map.

    A state has ``position i32[N,2]`` (row, column), ``heading i32[N]`` (clockwise quarter turns from up) and ``time
    i32[]``; in a game with beams also ``beams u8[H,W]`` (of the last step, see `beams.trace`).

    Attributes:
        layout: the map, see `influence_jax.envs.grid.maps`.
        view: ``"egocentric"``: the cell ahead is always above the centre, and agents are drawn in every observation.
            ``"reference"``: the pixels of the public NumPy code
            (https://github.com/eugenevinitsky/sequential_social_dilemma_games at commit 0207821): for the headings
            right and left the cell ahead is *below* the centre, and the first observation of an episode shows no
            agents.
        beams_visible: whether the beams of the last step are drawn over everything else, as at the time of the paper. None
            stands for True in the egocentric view and False in the reference view, whose pixels never show beams.
        headings_visible: draw agents darker the further to the right of the viewer's heading theirs is: in full colour if they
            look the same way, at three quarters to its right, a half if they look back, a quarter to its left. The original
            games do not show headings.

    A subclass also declares the ``letters`` of its maps and its ``action_names``. It may set the range of beams in cells
    (``beam_length``), and add ``colours`` (red, green, blue) of its own for the codes ``vision.OWN``, ``vision.OWN + 1``, and so
    on.
    """

    layout: Sequence[str] | str
    num_agents: int = integer(5, 1, "N, at most the number of start cells of the map.")
    view_radius: int = integer(7, 0, "Cells seen in each direction; 7 gives the paper's 15 x 15 window.", high=10_000)
    horizon: int = integer(1000, 1, "Environment steps per episode.")
    view: str = choice(
        "egocentric",
        VIEWS,
        'Which way a view is turned; "reference" reproduces the pixels of the original games\' last version.',
    )
    beams_visible: bool | None = flag(
        None, "Whether agents see the beams of the last step; by default they do in the egocentric view."
    )
    headings_visible: bool = flag(False, "Whether agents see which way others look; the original games do not show it.")

    letters: ClassVar[str]
    action_names: ClassVar[tuple[str, ...]]
    beam_length: ClassVar[int] = 5
    colours: ClassVar[tuple[tuple[int, int, int], ...]] = ()
    metric_names: ClassVar[tuple[str, ...]] = ("apples", "fires", "hits", "cleans")

    def __post_init__(self) -> None:
        check_fields(self)
        if self.view == "reference" and self.beams_visible:
            raise ConfigError("beams_visible is True with view 'reference', which never shows beams; allowed: False.")
        if self.view == "reference" and self.headings_visible:
            raise ConfigError(
                "headings_visible is True with view 'reference', which never shows headings; allowed: False."
            )
        if self.beams_visible and not self.spec.beam_actions:
            raise ConfigError("beams_visible is True, but nobody has a beam in this game; leave it out.")
        if self.num_agents > len(self.start_cells):
            raise ConfigError(
                f"num_agents is {self.num_agents}, but the layout has {len(self.start_cells)} start cells; "
                f"at most one agent per start cell is allowed."
            )

    @property
    def spec(self) -> EnvSpec:
        """The static facts of the environment."""
        side = 2 * self.view_radius + 1
        return EnvSpec(
            num_agents=self.num_agents,
            num_actions=len(self.action_names),
            action_names=self.action_names,
            observation_shape=(side, side, 3),
            horizon=self.horizon,
            metric_names=self.metric_names,
            beam_actions=tuple(a for a, name in enumerate(self.action_names) if name in ("fire", "clean")),
            agent_colours=self.agent_colours,
        )

    @property
    def agent_colours(self) -> tuple[Colours, ...]:
        """The colours of each agent by heading, if views show headings and nothing else has these colours; otherwise ()."""
        agents = vision.PALETTE[vision.AGENT :][: self.num_agents]
        turned = [tuple(colour) for colour in vision.heading_colours(agents).tolist()]
        others = {*map(tuple, vision.PALETTE[: vision.AGENT].tolist()), *self.colours}
        if not self.headings_visible or len(set(turned) - others) < 4 * self.num_agents:
            return ()
        return tuple(tuple(turned[4 * n : 4 * n + 4]) for n in range(self.num_agents))

    @functools.cached_property
    def drawing(self) -> np.ndarray:
        """U1[H,W]: the letters of the map."""
        return maps.parse(self.layout, self.letters)

    @functools.cached_property
    def walls(self) -> np.ndarray:
        """bool[H,W]: cells that nobody can enter."""
        return maps.mask(self.drawing, maps.WALL)

    @functools.cached_property
    def start_cells(self) -> np.ndarray:
        """i32[S,2]: cells where an agent may start, in row-major order."""
        return np.argwhere(maps.mask(self.drawing, maps.START)).astype(np.int32)

    @functools.cached_property
    def background(self) -> np.ndarray:
        """u8[H,W]: codes of the map where no layer covers it."""
        return np.where(self.walls, vision.WALL, vision.EMPTY).astype(np.uint8)

    @functools.cached_property
    def palette(self) -> np.ndarray:
        """u8[C,3]: the colour of each code; the game's own colours follow those of `vision`."""
        if self.colours:
            return np.concatenate([vision.PALETTE, np.array(self.colours, np.uint8)])
        return vision.PALETTE[: vision.AGENT + self.num_agents]

    @functools.cached_property
    def view_palette(self) -> np.ndarray:
        """u8[C,3]: the colours of what agents see, at the end those of headings if they are visible."""
        agents = vision.PALETTE[vision.AGENT :][: self.num_agents]
        return np.concatenate([self.palette, vision.heading_colours(agents)]) if self.headings_visible else self.palette

    @property
    def shows_beams(self) -> bool:
        """Whether agents see beams."""
        return self.view == "egocentric" if self.beams_visible is None else self.beams_visible

    @abc.abstractmethod
    def layers(self, state: Any) -> dict[int, jax.Array]:
        """Return for each code the cells bool[H,W] that show it; later entries cover earlier ones. No agents or beams."""

    def cell_codes(self, state: Any) -> jax.Array:
        """Return u8[H,W]: the codes of a state's map, without agents and beams."""
        layers = self.layers(state)
        if not layers:
            return jnp.asarray(self.background)
        return primitives.paint(tuple(layers.values()), codes=tuple(layers), background=self.background)

    def beam_map(self, state: Any) -> jax.Array:
        """Return u8[H,W]: the beams of the last step, as from `beams.trace`; zeros in a game without beams."""
        return getattr(state, "beams", jnp.zeros(self.walls.shape, jnp.uint8))

    def place_agents(self, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Sample ``(position i32[N,2], heading i32[N])``: distinct start cells and headings, both uniform."""
        num_starts = len(self.start_cells)
        words = primitives.words(key, count=num_starts + self.num_agents, stream=1)
        chosen = primitives.ranks(words[:num_starts]) == jnp.arange(self.num_agents)[:, None]
        position = jnp.sum(jnp.where(chosen[..., None], self.start_cells, 0), axis=1, dtype=jnp.int32)
        return position, random_bits.quarters(words[num_starts:])

    def move(
        self,
        position: jax.Array,
        heading: jax.Array,
        actions: jax.Array,
        rank: jax.Array,
        barred: jax.Array | None = None,
    ) -> tuple[jax.Array, jax.Array]:
        """Return ``(position i32[N,2], heading i32[N])`` after turns and steps.

        ``rank`` is as in `movement.resolve`; ``barred bool[H,W]`` are cells besides the walls that nobody can enter now.
        """
        return primitives.move(position, heading, actions, rank, barred, walls=self.walls)

    def unoccupied(self, free: ArrayLike, position: jax.Array) -> jax.Array:
        """Return bool[H,W]: the cells of ``free bool[H,W]`` on which no agent stands."""
        return primitives.put(jnp.asarray(free), self.number(position), value=False)

    def eat(self, apples: jax.Array, position: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return ``(apples bool[H,W], eaten bool[N])`` after every agent has eaten the apple on its cell."""
        return self.unoccupied(apples, position), primitives.get(apples, self.number(position))

    def fire(
        self, position: jax.Array, heading: jax.Array, fires: jax.Array, rank: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Let the agents in ``fires bool[N]`` fire, in ascending order of ``rank i32[N]``.

        Returns:
            ``(beams u8[H,W], hits i32[N])``, the map of beams and how many of them hit each agent.
        """
        return primitives.fire(position, heading, fires, rank, walls=self.walls, length=self.beam_length)

    def fire_and_clean(
        self,
        position: jax.Array,
        heading: jax.Array,
        fires: jax.Array,
        cleans: jax.Array,
        rank: jax.Array,
        waste: jax.Array,
    ) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
        """Let the agents in ``fires bool[N]`` fire and those in ``cleans bool[N]`` clean, in ascending order of ``rank i32[N]``.

        Returns:
            The remaining ``waste bool[H,W]``, the beams u8[H,W], how many fire beams hit each agent i32[N], and how many waste
            cells it removed i32[N].
        """
        return primitives.fire_and_clean(
            position, heading, fires, cleans, rank, waste, walls=self.walls, length=self.beam_length
        )

    def number(self, position: jax.Array) -> jax.Array:
        """Return i32[...]: the numbers of the cells at ``position i32[...,2]``; see `primitives`."""
        return position[..., 0] * self.walls.shape[1] + position[..., 1]

    @usual_promotion()
    def observe(self, state: Any) -> tuple[jax.Array, jax.Array]:
        """Return ``(observation u8[N,V,V,3], visible bool[N,N])``; walls do not block sight."""
        codes, cell = self.cell_codes(state), self.number(state.position)
        first_heading = len(self.palette)
        if self.headings_visible:
            with_agents = primitives.paint_headings(codes, cell, state.heading, first=first_heading)
        else:
            with_agents = primitives.paint_agents(codes, cell)
        if self.view == "egocentric":
            codes, quarter_turns = with_agents, state.heading
        else:
            codes, quarter_turns = jnp.where(state.time == 0, codes, with_agents), (4 - state.heading) % 4
        if self.shows_beams:
            codes = primitives.paint_beams(codes, self.beam_map(state))
        radius, palette = self.view_radius, self.view_palette
        seen = primitives.windows(codes, state.position, quarter_turns, radius=radius, num_codes=len(palette))
        if self.headings_visible:
            seen = primitives.turn_headings(seen, state.heading, first=first_heading)
        return primitives.colour(seen, palette=palette), primitives.visible(state.position, radius=radius)

    def render(self, state: Any, scale: int = 16) -> np.ndarray:
        """Return u8[scale H, scale W, 3]: an RGB image of the whole map seen from above. Runs on the host, not in traced code."""
        return next(self.video(jax.tree.map(lambda x: x[None], state), scale))

    def video(self, states: Any, scale: int = 16) -> Iterator[np.ndarray]:
        """Yield the image of each of ``states``, leading axis time; ten times as fast as calling `render` for each."""
        return render_maps(zip(*self.scenes(states), strict=True), scale, self.palette)

    def scenes(self, states: Any) -> Scene:
        """Return codes, beams, positions and headings of ``states``, leading axis time, for `render.render_maps`."""
        drawn = jax.device_get(jax.jit(jax.vmap(lambda state: (self.cell_codes(state), self.beam_map(state))))(states))
        return *drawn, np.asarray(states.position), np.asarray(states.heading)
