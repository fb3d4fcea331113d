"""The package runs in a process that is strict about its own code."""

import jax
import numpy as np
import pytest

import influence_jax
from influence_jax.learner.learner import make_learner
from tests.learner.worlds import probe_config


@pytest.mark.parametrize("strict", ["jax_numpy_rank_promotion", "jax_numpy_dtype_promotion"])
def test_training_and_evaluation_in_a_strict_process(strict):
    before = getattr(jax.config, strict)
    value = {"jax_numpy_rank_promotion": "raise", "jax_numpy_dtype_promotion": "strict"}[strict]
    jax.config.update(strict, value)
    try:
        run = influence_jax.train(make_learner(probe_config(model="moa", total_steps=40)))
        evaluation = influence_jax.evaluate(run.learner, run.state, 2)
        assert run.finished and np.isfinite(evaluation.collective_return).all()
        assert getattr(jax.config, strict) == value
    finally:
        jax.config.update(strict, before)
