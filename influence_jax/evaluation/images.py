"""Images of an episode: its frames, and moments of influence next to their counterfactual (Figures 2 and 14 of the paper)."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from PIL import Image, ImageDraw

from influence_jax.envs.base import Environment
from influence_jax.envs.grid import render
from influence_jax.envs.grid.world import GridWorld
from influence_jax.settings import ConfigError, Integers, Numbers, checked, short_repr

if TYPE_CHECKING:
    from influence_jax.evaluation.moment import Moment
    from influence_jax.evaluation.trace import Trace

LONGEST_SIDE = 720  # pixels of a frame's map
PANEL = 480  # pixels of the longer side of each part of a map
GAP = 16  # pixels between the two, and around the bars
LEAST_SHARE = 0.05  # of the widest arrow; narrower ones are not drawn
LEAST_INFLUENCE = 0.01  # nats; the full width of arrows stands for at least this


@dataclasses.dataclass(frozen=True)
class Look:
    """What to draw into a frame; see `Trace.frame`."""

    arrows: bool | float
    views: Sequence[int]
    scale: int | None
    title: str

    def __post_init__(self) -> None:
        if not isinstance(self.arrows, bool | np.bool_):
            checked("arrows", self.arrows, Numbers(0))
        if isinstance(self.views, str) or not isinstance(self.views, Sequence | np.ndarray):
            raise ConfigError(f"views is {short_repr(self.views)}; allowed: numbers of agents.")
        checked("scale", self.scale, Integers(4, 256, optional=True))
        if not isinstance(self.title, str):
            raise ConfigError(f"title is {short_repr(self.title)}; allowed: a text.")


def frames(trace: "Trace", times: Sequence[int], look: Look) -> Iterator[np.ndarray]:
    """Yield u8[height,width,3]: images of the states before the steps ``times``."""
    env = _with_map(trace.env)
    for agent in look.views:
        checked("views", agent, Integers(0, trace.actions.shape[1] - 1))
    scale = _cell_size(env.walls.shape, LONGEST_SIDE, 64) if look.scale is None else look.scale
    strength = _arrow_widths(trace, look.arrows)
    totals = np.concatenate([np.zeros_like(trace.rewards[:1]), trace.rewards.cumsum(axis=0)])
    states = jax.tree.map(lambda x: x[np.asarray(times)], trace.states)
    for time, image in zip(times, env.video(states, scale), strict=True):
        position = trace.states.position[time]
        if len(look.views):
            image = render.draw_views(image, position, env.view_radius, look.views, scale)
        image = render.draw_arrows(image, position, strength[time], scale)
        words = f"{look.title}, step {time}" if look.title else f"step {time}"
        yield render.with_header(image, words, totals[time].tolist())


def _with_map(env: Environment) -> GridWorld:
    if not isinstance(env, GridWorld):
        raise ConfigError(f"{type(env).__name__} draws no images; allowed: games on a map.")
    return env


def _cell_size(cells: Sequence[int] | np.ndarray, longest_side: int, largest: int) -> int:
    """Return the pixels per cell with which the longer side of a map of so many ``cells`` comes to ``longest_side``."""
    return int(np.clip(longest_side // max(cells), 8, largest))


def _arrow_widths(trace: "Trace", arrows: bool | float) -> np.ndarray:
    """Return f32[T+1,K,J]: for each state, the widths of arrows as fractions of the widest, 0 for none."""
    strength = trace.known_influence
    full = arrows
    if isinstance(arrows, bool | np.bool_):
        full = max(float(strength.max()), LEAST_INFLUENCE) if arrows else 0
    share = strength / full if full else np.zeros_like(strength)
    return np.pad(np.where(share < LEAST_SHARE, 0.0, share), ((1, 0), (0, 0), (0, 0)))


def two_worlds(moment: "Moment") -> Image.Image:
    """See `Moment.image`."""
    env = _with_map(moment.trace.env)
    width = min(1.0, moment.influence / LEAST_INFLUENCE)
    arrow = np.zeros((env.num_agents, env.num_agents), np.float32)
    arrow[moment.influencer, moment.influencee] = 0.0 if width < LEAST_SHARE else 0.6 * width
    chances = [f"(probability {moment.weights[x]:.2g})" for x in (moment.choice, moment.alternative)]
    done, instead = moment.choice_names
    really, otherwise = moment.worlds()
    shown = _seen(moment, [really, otherwise])
    left = _panel(moment, really, shown, f"done: {done} {chances[0]}", arrow)
    right = _panel(moment, otherwise, shown, f"instead: {instead} {chances[1]}", 0 * arrow)
    worlds = np.concatenate([left, np.full((len(left), GAP, 3), 255, np.uint8), right], axis=1)
    chart = _bars(moment, worlds.shape[1])
    return Image.fromarray(np.concatenate([render.with_header(worlds, moment.sentence), chart]))


def _seen(moment: "Moment", states: Sequence[Any]) -> np.ndarray:
    """Return the first and last row and column, ``[[row, column], [row, column]]``, of what both agents see in ``states``."""
    env = _with_map(moment.trace.env)
    places = np.concatenate([state.position[[moment.influencer, moment.influencee]] for state in states])
    corners = [places.min(axis=0) - env.view_radius, places.max(axis=0) + env.view_radius]
    return np.clip(corners, 0, np.array(env.walls.shape) - 1)


def _panel(moment: "Moment", state: Any, shown: np.ndarray, caption: str, arrow: np.ndarray) -> np.ndarray:
    """Return u8[height,width,3]: a part of a state, with the views of both agents of a moment outlined."""
    env, agents = _with_map(moment.trace.env), (moment.influencer, moment.influencee)
    size = shown[1] - shown[0] + 1
    scale = _cell_size(size, PANEL, 64)
    image = render.draw_views(env.render(state, scale), state.position, env.view_radius, agents, scale)
    image = render.draw_arrows(image, state.position, arrow, scale)
    (top, left), (bottom, right) = shown[0] * scale, (shown[1] + 1) * scale
    return render.with_header(image[top:bottom, left:right], caption)


def _bars(moment: "Moment", width: int) -> np.ndarray:
    """Return u8[height,width,3]: the influencee's action probabilities, as bars and numbers, hollow for the counterfactual."""
    size, height = 14, 184
    agent, names = moment.influencee, moment.trace.env.spec.action_names
    colour = render.agent_colour(agent)
    image = Image.new("RGB", (width, height), render.PAPER)
    draw, plain, small = ImageDraw.Draw(image), render.font(size), render.font(size - 3)
    draw.text((GAP, GAP), f"answer of agent {agent}", fill=render.INK, font=plain, anchor="lm")
    right = width - GAP
    for fill, text in ((render.PAPER, "instead"), (colour, "after what was done")):
        draw.text((right, GAP), text, fill=render.INK, font=plain, anchor="rm")
        right -= int(plain.getlength(text)) + 20
        draw.rectangle((right, GAP - 6, right + 12, GAP + 6), fill=fill, outline=render.INK, width=2)
        right -= GAP
    base, top, slot = height - 2 * size, 3.5 * GAP, (width - 2 * GAP) / len(names)
    digits = render.font(max(6, min(size - 3, int(slot * 0.16))))  # two numbers are as wide as a slot
    for number, name in enumerate(names):
        left = GAP + slot * number
        for share, fill, start in (
            (moment.answer[number], colour, 0.14),
            (moment.other_answer[number], render.PAPER, 0.5),
        ):
            high = base - (base - top) * float(share)
            draw.rectangle(
                (left + slot * start, high, left + slot * (start + 0.34), base), fill=fill, outline=render.INK, width=2
            )
            middle = left + slot * (start + 0.17)
            draw.text((middle, high - 2), f"{share:.2f}", fill=render.INK, font=digits, anchor="mb")
        middle, lines = (left + slot / 2, base + 3), name.replace("_", "\n")
        draw.multiline_text(middle, lines, fill=render.INK, font=small, anchor="ma", align="center", spacing=0)
    draw.line((GAP, base, width - GAP, base), fill=render.INK, width=2)
    return np.asarray(image)
