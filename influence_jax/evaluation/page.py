"""An episode as a page for a browser: one file that needs neither a network nor a server."""

import base64
import gzip
import json
import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

from influence_jax.analysis.pages import Page
from influence_jax.envs.grid import vision
from influence_jax.envs.grid.render import agent_colour
from influence_jax.envs.grid.world import GridWorld
from influence_jax.evaluation.images import LEAST_INFLUENCE
from influence_jax.evaluation.replay import Tried, measured_is_real, try_everything
from influence_jax.settings import ConfigError, short_repr

if TYPE_CHECKING:
    from influence_jax.evaluation.trace import Trace

TEMPLATE = pathlib.Path(__file__).with_suffix(".html")  # what it does with the data is written there


def page(trace: "Trace", title: str) -> Page:
    """See `Trace.page`."""
    if not isinstance(title, str):
        raise ConfigError(f"title is {short_repr(title)}; allowed: a text.")
    tried = None if trace.team is None else try_everything(trace)
    influences = _influences(trace, tried)
    arrays = _episode(trace) | _map(trace) | _answers(tried)
    arrays["influence"] = np.stack(list(influences.values())).astype(np.float32)  # [I,T,K,J]
    places, data = packed(arrays)
    facts = _facts(trace, title) | {"influences": list(influences), "arrays": places, "data": data}
    episode = json.dumps(facts)
    return Page(TEMPLATE.read_text(encoding="utf-8").replace("EPISODE", episode.replace("<", r"\u003c"), 1))


def packed(arrays: dict[str, np.ndarray]) -> tuple[dict[str, Any], str]:
    """Return where every array is, and the bytes of all of them, compressed, as text.

    Returns:
        By name its ``kind`` ("u1", "u2" or "f4"), its ``shape`` and the byte at which it ``start``s; and base64 of gzip of the
        bytes, little-endian.
    """
    places, parts, start = {}, [], 0
    for name, array in sorted(arrays.items(), key=lambda item: -item[1].itemsize):  # so that all are aligned
        kind = array.dtype.str[1:]
        places[name] = {"kind": kind, "shape": array.shape, "start": start}
        parts.append(array.astype(f"<{kind}").tobytes())
        start += len(parts[-1])
    return places, base64.b64encode(gzip.compress(b"".join(parts), mtime=0)).decode()


def _facts(trace: "Trace", title: str) -> dict[str, Any]:
    """Return what does not change from step to step."""
    env, model = trace.env, trace.team and trace.team.learner.model
    return {
        "title": title or type(env).__name__,
        "game": type(env).__name__,
        "measure": trace.measure,
        "leastInfluence": LEAST_INFLUENCE,
        "counts": ["return", *trace.metrics],
        "actions": env.spec.action_names,
        "messages": model.network_spec.num_messages if model else 0,
        "channel": model.channel if model else "action",
        "lag": model.lag if model else 1,
        "radius": getattr(env, "view_radius", 0),
        "colours": [agent_colour(agent) for agent in range(env.spec.num_agents)],
        "tiles": {
            vision.EMPTY: "floor",
            vision.WALL: "wall",
            vision.APPLE: "apple",
            vision.WASTE: "waste",
            vision.RIVER: "river",
            vision.STREAM: "stream",
            vision.DOOR: "door",
        },
        "palette": ["#" + bytes(colour).hex() for colour in env.palette] if isinstance(env, GridWorld) else [],
    }


def _episode(trace: "Trace") -> dict[str, np.ndarray]:
    """Return what agents did, leading T, and what that earned them; an action that the game does not have has number A."""
    num_actions = trace.env.spec.num_actions
    known = (trace.actions >= 0) & (trace.actions < num_actions)
    arrays = {
        "action": _whole(np.where(known, trace.actions, num_actions)),
        "policy": _shares(np.exp(trace.log_policy)),
        "counts": np.stack([trace.rewards, *trace.metrics.values()]).astype(np.float32),  # f32[1 + metrics,T,N]
    }
    if trace.messages is not None and trace.message_log_policy is not None:
        arrays |= {"message": _whole(trace.messages), "messagePolicy": _shares(np.exp(trace.message_log_policy))}
    return arrays


def _map(trace: "Trace") -> dict[str, np.ndarray]:
    """Return what the map shows, leading T+1; nothing for a game that has none."""
    if not isinstance(trace.env, GridWorld):
        return {}
    codes, beams, position, heading = trace.env.scenes(trace.states)
    return {"codes": codes, "beams": beams, "position": _whole(position), "heading": _whole(heading)}


def _influences(trace: "Trace", tried: Tried | None) -> dict[str, np.ndarray]:
    """Return influence f32[T,K,J] by how it was found."""
    measured = {"as agents measure it": trace.influence}
    if tried is None or trace.team is None or trace.team.learner.model.measure is None:
        return measured
    if measured_is_real(trace.team.learner.model):
        return {"found by trying every choice": trace.influence}
    return {"found by trying every choice": tried.real_influence} | measured


def _answers(tried: Tried | None) -> dict[str, np.ndarray]:
    """Return which pairs count, u8[T,K,J], and for each of these, in this order, j's policies u8[P,C,A] by what k might do."""
    if tried is None:
        return {}
    answers = tried.answers.swapaxes(2, 3)[tried.counted]
    return {"counted": tried.counted.astype(np.uint8), "answers": _shares(answers)}


def _shares(probabilities: np.ndarray) -> np.ndarray:
    """Return u8: probabilities in 255ths, 0 where they are not known."""
    return np.round(255 * np.nan_to_num(probabilities)).astype(np.uint8)


def _whole(numbers: np.ndarray) -> np.ndarray:
    """Return numbers from 0 to 65,535 in as few bytes as they take."""
    return np.asarray(numbers).astype(np.uint8 if np.max(numbers) < 256 else np.uint16)
