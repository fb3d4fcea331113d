"""One agent's gradient: from cached activations, and split by loss term."""

import dataclasses
import functools

import jax
import numpy as np
import pytest

from influence_jax.learner import train
from influence_jax.learner.learner import make_learner
from influence_jax.learner.update import update
from influence_jax.networks.agent import NetworkFunctions
from tests.learner.worlds import probe_config, start_of, step_of


@pytest.mark.parametrize(
    "model",
    [*(pytest.param(model, marks=pytest.mark.slow) for model in ("independent", "basic", "communication")), "moa"],
)
def test_gradient_from_what_acting_computed_is_that_of_a_new_forward_pass(model, monkeypatch):
    """A2C learns with the parameters that acted, so it reuses the activations of acting."""
    learner = make_learner(probe_config(model=model))
    state, with_activations = start_of(learner), NetworkFunctions.with_activations
    recalled = step_of(learner)(state)[0].opt_state
    monkeypatch.setattr(NetworkFunctions, "with_activations", lambda network, known: with_activations(network, None))
    anew = jax.jit(lambda state: update(learner, state, 100.0)[0].opt_state)(state)
    # Adam's first moment after one step is a tenth of the gradient.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7), recalled[0].mu, anew[0].mu)
    assert all(np.abs(x).max() > 1e-6 for x in jax.tree.leaves(recalled[0].mu))


def test_diagnostics_split_the_gradient_by_term(state):
    """The terms add up to the whole, and the shares to 1."""
    config = probe_config()
    learner = make_learner(dataclasses.replace(config, learner=dataclasses.replace(config.learner, diagnostics=True)))
    _, logs = jax.jit(functools.partial(train.train_step, learner))(state, 10.0)
    for module, terms in (
        ("encoder", {"policy", "value", "entropy", "auxiliary"}),
        ("action_head", {"policy", "value", "entropy", "auxiliary"}),
    ):
        shares = {
            name.rpartition("_")[2]: float(x) for name, x in logs.items() if name.startswith(f"gradient_share_{module}")
        }
        assert shares.keys() == terms and abs(sum(shares.values()) - 1) < 1e-5
    assert logs["gradient_share_action_head_value"] == 0 and logs["gradient_share_encoder_auxiliary"] > 0
