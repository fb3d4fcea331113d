"""Names that examples in docstrings may use."""

import types

import numpy as np

import influence_jax
from influence_jax import analysis
from tests.analysis.rows import recorded


def names():
    """Return two runs' metrics, and a trace of three agents with four actions and meaningless messages."""
    rng = np.random.default_rng(2)
    trace = types.SimpleNamespace(
        actions=rng.integers(4, size=(300, 3)),
        messages=rng.integers(4, size=(300, 3)),
        influence=rng.exponential(0.1, size=(300, 3, 3)) * (1 - np.eye(3)),
        log_policy=np.full((300, 3, 4), -np.log(4)),
    )
    return {
        "analysis": analysis,
        "influence_jax": influence_jax,
        "np": np,
        "runs": {"alone": recorded(200), "influence": recorded(400, seed=1)},
        "trace": trace,
    }
