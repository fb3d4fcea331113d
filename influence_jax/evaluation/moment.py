"""Moments of influence, each next to its counterfactual."""

import dataclasses
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from influence_jax.evaluation import images
from influence_jax.evaluation.replay import policies_after, team_of
from influence_jax.influence import measures
from influence_jax.influence.model import InfluenceModel
from influence_jax.settings import ConfigError, Integers, checked

if TYPE_CHECKING:
    from influence_jax.evaluation.trace import Trace

APART = 5  # steps between two moments of the same pair


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Moment:
    """A moment of influence: a choice and the other agent's response, and the response to an alternative choice.

    The alternative is the choice with the largest product of its probability and the change in the response that it causes. In
    a notebook a moment shows its `image`.

    >>> moment = run.trace().moments(1)[0]
    >>> change = moment.answer - moment.other_answer  # f32[A]
    """

    trace: "Trace"  # its episode
    time: int  # the step of the influencer's choice
    influencer: int
    influencee: int
    influence: float  # in the unit of the measure
    choice: int  # the action, or message, of the influencer
    alternative: int  # the alternative action, or message
    weights: np.ndarray  # f32[C], the influencer's own probabilities
    answer: np.ndarray  # f32[A], the influencee's probabilities after the choice
    other_answer: np.ndarray  # f32[A], after the alternative

    def __repr__(self) -> str:
        done, instead = self.choice_names
        return f"Moment of {self.sentence}, {done} instead of {instead}"

    @property
    def sentence(self) -> str:
        """Whose influence on whom, when, how much, and how much that is of what it could be."""
        pair = f"agent {self.influencer}'s influence on agent {self.influencee}"
        share = "" if self.bound is None else f", {100 * self.influence / self.bound:.2g} % of its bound"
        return f"step {self.time}: {pair} is {self.influence:.2g} ({self.trace.measure}){share}"

    @property
    def bound(self) -> float | None:
        """The most influence that a choice of this probability can have; None if it is not known."""
        if self._model.marginal is not None:
            return None
        return measures.bound(self._model.measure, float(self.weights[self.choice]))

    @property
    def choice_names(self) -> tuple[str, str]:
        """The names of the influencer's choice and of the alternative."""
        if self._by_message:
            return f"message {self.choice}", f"message {self.alternative}"
        names = self.trace.env.spec.action_names
        return names[self.choice], names[self.alternative]

    @property
    def _model(self) -> InfluenceModel:
        return team_of(self.trace, "a moment").learner.model

    @property
    def _by_message(self) -> bool:
        return self._model.channel == "message"

    def worlds(self) -> tuple[Any, Any]:
        """Return the states that follow the choice and the alternative; equal if a message has no effect on the state yet."""
        actions = self.trace.actions[self.time]
        really, _ = self.trace.world(self.time, actions)
        if self._by_message:
            return really, really
        others = actions.copy()
        others[self.influencer] = self.alternative
        if self._model.lag == 0:  # the other acts in the same step
            others[self.influencee] = int(self.other_answer.argmax())
        return really, self.trace.world(self.time, others)[0]

    def image(self) -> Image.Image:
        """Return what both agents saw in both states, side by side, above the influencee's response in each."""
        return images.two_worlds(self)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.image().save(buffer, "png")
        return buffer.getvalue()


def strongest_moments(trace: "Trace", count: int) -> list[Moment]:
    """See `Trace.moments`."""
    checked("count", count, Integers(1))
    strength = np.where(team_of(trace, "moments").pairs, trace.known_influence, 0.0)
    found: list[tuple[int, int, int]] = []
    for place in np.argsort(-strength, axis=None, kind="stable"):
        time, k, j = (int(x) for x in np.unravel_index(place, strength.shape))
        if len(found) == count or strength[time, k, j] <= 0:
            break
        if all((k, j) != (a, b) or abs(time - other) >= APART for other, a, b in found):
            found.append((time, k, j))
    if not found:
        raise ConfigError(
            "this episode has no moment of influence: nobody measured any, or no two agents met; allowed: episodes with "
            "influence, such as that of another seed."
        )
    return [_moment(trace, *place) for place in found]


def _moment(trace: "Trace", time: int, k: int, j: int) -> Moment:
    found = policies_after(trace, time)
    weights, alternatives = (np.exp(np.asarray(x)) for x in (found.weights[k, 0], found.alternatives[k, :, j, 0]))
    choice = int(trace.choices[team_of(trace, "moments").learner.model.channel][time, k])
    changed = weights * np.abs(alternatives - alternatives[choice]).sum(axis=-1)
    alternative = int(np.argmax(changed))
    return Moment(
        trace=trace,
        time=time,
        influencer=k,
        influencee=j,
        influence=float(trace.known_influence[time, k, j]),
        choice=choice,
        alternative=alternative,
        weights=weights,
        answer=alternatives[choice],
        other_answer=alternatives[alternative],
    )
