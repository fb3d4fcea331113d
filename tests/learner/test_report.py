"""The metrics of an update, and their names."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.config import ConfigError, Hyperparams
from influence_jax.envs.probes import Cue
from influence_jax.learner import train
from influence_jax.learner.learner import make_learner
from influence_jax.learner.report import report
from influence_jax.learner.update import update
from influence_jax.metrics import init_episode_sums
from tests.learner.worlds import probe_config


def test_entropy_is_reported_by_fifths_of_the_episode(learner, played):
    """The probe's episodes have six steps, so the fifths hold steps 0 and 1, 2, 3, 4, and 5."""
    _, trajectory, bootstrap = played
    episode_sums = init_episode_sums(4, 3, ("answers",), jnp.ones(4, bool))
    logs = jax.jit(lambda *played: report(learner, Hyperparams(), *played, {})[1])(episode_sums, trajectory, bootstrap)
    entropy = np.asarray(trajectory.actor_output.samples["action"].entropy).mean(axis=-1)
    time, valid = np.asarray(trajectory.time), np.asarray(trajectory.valid)
    for fifth, steps in enumerate(((0, 1), (2,), (3,), (4,), (5,))):
        np.testing.assert_allclose(
            logs["entropy_by_fifth"].value()[fifth], entropy[valid & np.isin(time, steps)].mean(), rtol=1e-5
        )
    np.testing.assert_allclose(logs["entropy_with_neighbours"].value(), entropy[valid].mean(), rtol=1e-5)  # all see all
    assert np.isnan(logs["entropy_alone"].value())


@pytest.fixture(scope="module")
def alone():
    return make_learner(probe_config(model="independent"))


@pytest.mark.parametrize("name", ["learning_rate", "seed", "entropy", "current_learning_rate"])
def test_a_metric_of_ones_own_has_a_name_of_its_own(alone, name):
    """It may not be the name of a setting, which is a column of the same tables, or of another metric."""
    own = dataclasses.replace(alone, metrics=(lambda trajectory: {name: trajectory.reward.sum(axis=-1)},))
    with pytest.raises(ConfigError, match=f"learner.metrics has the names {name}; allowed: names that are not taken"):
        jax.eval_shape(lambda key: update(own, train.init(own, key), 100.0), jax.random.key(0))


@pytest.mark.parametrize("name", ["learning_rate", "entropy", "returns"])
def test_what_a_game_measures_has_a_name_of_its_own(alone, name):
    """Otherwise a game's metric could replace the entropy of a policy, for example."""

    class Renamed(Cue):
        @property
        def spec(self):
            return dataclasses.replace(super().spec, metric_names=(name,))

        def dynamics(self, state, actions, noise, params):
            *rest, metrics = super().dynamics(state, actions, noise, params)
            return *rest, {name: metrics["answers"]}

    own = dataclasses.replace(alone, env=Renamed(num_agents=3, horizon=6))
    with pytest.raises(
        ConfigError, match=r"env.spec.metric_names has the names \w+; allowed: names that are not taken"
    ):
        jax.eval_shape(lambda key: train.train_step(own, train.init(own, key), 1.0), jax.random.key(0))
