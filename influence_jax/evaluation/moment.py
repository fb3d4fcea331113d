"""A moment of influence beside the world in which it did not happen, as an image (Figures 2 and 14 of the paper)."""

import dataclasses
import io
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from influence_jax.envs.grid import render

PANEL = 480  # pixels of the longer side of each world's map
GAP = 16


@dataclasses.dataclass(frozen=True, eq=False)
class Moment:
    """A moment of influence: what was done and how the other answers, and what would have been done instead.

    Of all that the influencer might have done, the alternative is what changes the answer most, times how probable it was.
    A notebook shows it as `image`.

    >>> moment = run.trace().moments(1)[0]
    >>> moment.influencer, moment.influencee, moment.influence, moment.answer, moment.other_answer
    """

    trace: Any = dataclasses.field(repr=False)  # the `Trace` it is of
    time: int  # the step in which the influencer chose
    influencer: int
    influencee: int
    influence: float  # in the unit of the measure
    choice: int  # the action, or message, that was chosen
    alternative: int  # that which would have been
    weights: np.ndarray = dataclasses.field(repr=False)  # f32[C], the influencer's own probabilities
    answer: np.ndarray = dataclasses.field(repr=False)  # f32[A], the other's probabilities after what was done
    other_answer: np.ndarray = dataclasses.field(repr=False)  # f32[A], after the alternative

    def image(self) -> Image.Image:
        """Return both worlds side by side, with what both agents see, above how the other answers in each of them."""
        trace, names = self.trace, self.trace.env.spec.action_names
        env, actions = trace.env, trace.actions[self.time]
        scale = int(np.clip(PANEL // max(env.walls.shape), 8, 40))
        really = trace.world(self.time, actions)[0]
        if trace.channel == "action":
            others = actions.copy()
            others[self.influencer] = self.alternative
            if trace.lag == 0:  # the other acts in the same step
                others[self.influencee] = int(self.other_answer.argmax())
            instead, said = trace.world(self.time, others)[0], [names[x] for x in (self.choice, self.alternative)]
        else:
            instead, said = really, [f"message {x}" for x in (self.choice, self.alternative)]
        strength = np.zeros((len(actions), len(actions)), np.float32)
        strength[self.influencer, self.influencee] = 0.6
        panels = []
        for state, caption, choice, arrow in (
            (really, "done", self.choice, strength),
            (instead, "instead", self.alternative, 0 * strength),
        ):
            image = render.draw_views(
                env.render(state, scale), state.position, env.view_radius, (self.influencer, self.influencee), scale
            )
            image = render.draw_arrows(image, state.position, arrow, scale)
            text = f"{caption}: {said[caption != 'done']} (probability {self.weights[choice]:.2g})"
            panels.append(render.with_header(image, text))
        gap = np.full((len(panels[0]), GAP, 3), 255, np.uint8)
        worlds = np.concatenate([panels[0], gap, panels[1]], axis=1)
        title = f"step {self.time}: agent {self.influencer} influences agent {self.influencee} by {self.influence:.2g}"
        title += f" ({trace.measure})"
        chart = _bars(worlds.shape[1], names, self.answer, self.other_answer, self.influencee)
        return Image.fromarray(np.concatenate([render.with_header(worlds, title), chart]))

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.image().save(buffer, "png")
        return buffer.getvalue()


def _bars(width: int, names: tuple[str, ...], answer: np.ndarray, other: np.ndarray, agent: int) -> np.ndarray:
    """Return u8[height,width,3]: an agent's probabilities of all actions, hollow for the other world."""
    size, height = 14, 170
    image = Image.new("RGB", (width, height), render.PAPER)
    draw, font = ImageDraw.Draw(image), render.font(size)
    draw.text((GAP, GAP), f"how agent {agent} answers", fill=render.INK, font=render.font(size + 2), anchor="lm")
    legend = (
        (width // 2, render.agent_colour(agent), "after what was done"),
        (width // 2 + 190, render.PAPER, "instead"),
    )
    for left, fill, text in legend:
        draw.rectangle((left, GAP - 6, left + 12, GAP + 6), fill=fill, outline=render.INK, width=2)
        draw.text((left + 20, GAP), text, fill=render.INK, font=font, anchor="lm")
    base, top, slot = height - 2 * size, 2.6 * GAP, (width - 2 * GAP) / len(names)
    for number, name in enumerate(names):
        left = GAP + slot * number
        for share, fill, start in (
            (answer[number], render.agent_colour(agent), 0.14),
            (other[number], render.PAPER, 0.5),
        ):
            box = (left + slot * start, base - (base - top) * float(share), left + slot * (start + 0.34), base)
            draw.rectangle(box, fill=fill, outline=render.INK, width=2)
        lines = name.replace("_", "\n")
        draw.multiline_text(
            (left + slot / 2, base + 3),
            lines,
            fill=render.INK,
            font=render.font(size - 3),
            anchor="ma",
            align="center",
            spacing=0,
        )
    draw.line((GAP, base, width - GAP, base), fill=render.INK, width=2)
    return np.asarray(image)
