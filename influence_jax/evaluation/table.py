"""An episode as a tidy table."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from influence_jax.evaluation.trace import Trace


def rows(trace: "Trace") -> dict[str, np.ndarray]:
    """Return the columns of a table with one row per step and agent, in order of steps; see `Trace.table`."""
    step, agent = np.indices(trace.actions.shape)
    names, num_actions = trace.env.spec.action_names, trace.env.spec.num_actions
    known = (trace.actions >= 0) & (trace.actions < num_actions)
    taken = np.take_along_axis(trace.log_policy, np.where(known, trace.actions, 0)[..., None], axis=-1)[..., 0]
    probs = np.exp(trace.log_policy)
    entropy = -np.sum(probs * np.where(probs == 0, 0.0, trace.log_policy), axis=-1)  # NaN for players without a policy
    columns = {
        "step": step,
        "agent": agent,
        "action": np.array([*names, "none"])[np.where(known, trace.actions, num_actions)],
        "reward": trace.rewards,
        "value": trace.values,
        "log_prob": np.where(known, taken, np.nan),
        "entropy": entropy,
        "influence": trace.influence.sum(axis=2),
        "influence_received": trace.influence.sum(axis=1),
    }
    if trace.real_influence is not None:
        columns["real_influence"] = trace.real_influence.sum(axis=2)
    if trace.messages is not None:
        columns["message"] = trace.messages
    if hasattr(trace.states, "position"):
        columns |= {name: trace.states.position[:-1, :, i] for i, name in enumerate(("row", "column"))}
    return {name: np.asarray(x).ravel() for name, x in (columns | trace.metrics).items()}
