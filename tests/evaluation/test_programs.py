"""Programs are compiled once per experiment, and dropped when others take their place."""

import gc
import weakref

import jax.numpy as jnp

from influence_jax.evaluation.programs import KEPT, compiled


class Experiment:
    """Compared by identity, as a learner is."""

    def __init__(self, number):
        self.number = number


def test_each_experiment_has_a_program_of_its_own_which_is_compiled_once():
    traced = []

    @compiled(num_static=2)
    def scaled(experiment, factor, x):
        traced.append((experiment, factor))
        return experiment.number * factor * x

    one, other = Experiment(2.0), Experiment(3.0)
    for _ in range(2):
        assert scaled(one, 5, jnp.float32(7)) == 70 and scaled(other, 5, jnp.float32(7)) == 105
    assert scaled(one, 1, jnp.float32(7)) == 14
    assert traced == [(one, 5), (other, 5), (one, 1)]


def test_no_experiment_is_kept_for_ever():
    @compiled()
    def scaled(experiment, x):
        return experiment.number * x

    seen = []
    for number in range(KEPT + 4):
        experiment = Experiment(float(number))
        assert scaled(experiment, jnp.float32(2)) == 2 * number
        seen.append(weakref.ref(experiment))
    del experiment
    gc.collect()
    assert sum(reference() is not None for reference in seen) <= KEPT
