"""Metrics as a small run would record them, and runs without a learner."""

import types

import numpy as np

METRICS = {
    "update": np.array([[10, 10], [20, 20]]),
    "env_steps": np.array([[100, 100], [200, 200]]),
    "collective_return": np.float32([[np.nan, 2], [3, 4]]),
    "agent_returns": np.float32([[[np.nan, 1], [0.5, 1.5]], [[1, 2], [1, 3]]]),
}


def recorded(level=300.0, members=5, points=40, seed=0):
    """Metrics of a run whose members climb to about ``level``."""
    rng = np.random.default_rng(seed)
    steps = np.arange(1, points + 1) * 50_000
    climb = 1 - np.exp(-np.arange(points) / 8)[:, None]
    ends = level + 20 * rng.normal(size=members)
    metrics = {
        "update": np.arange(1, points + 1)[:, None].repeat(members, axis=1),
        "env_steps": steps[:, None].repeat(members, axis=1),
        "collective_return": climb * ends + 8 * rng.normal(size=(points, members)),
        "equality": 0.6 + 0.3 * climb + 0.02 * rng.normal(size=(points, members)),
        "apples": climb * ends,
        "fires": (1 - climb) * 500 + 0 * ends,
        "cleans": np.zeros((points, members)),
        "entropy": 2 - climb + 0 * ends,
        "influence": 1e-4 * (1 + level * climb) + 0 * ends,
        "agent_returns": (climb * ends / 2)[..., None] * np.array([0.8, 1.2]),
    }
    metrics["collective_return"][0] = np.nan  # no episode has ended yet
    return metrics


def run(members=({"member": 0, "seed": 0},), metrics=None, game="harvest", model="moa", shaper="individual"):
    """Return an object with what analysis reads of a run."""
    config = types.SimpleNamespace(
        env=types.SimpleNamespace(name=game),
        influence=types.SimpleNamespace(model=model),
        learner=types.SimpleNamespace(shaper=shaper),
        hyperparams=types.SimpleNamespace(learning_rate=1e-3, influence_weight=0.0),
    )
    metrics = recorded(members=len(members)) if metrics is None else metrics
    return types.SimpleNamespace(config=config, metrics=metrics, members=list(members))
