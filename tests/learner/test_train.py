"""The first state of a member, and chunks of updates."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import influence_jax
from influence_jax.config import ConfigError, Hyperparams, LearnerConfig, NetworkConfig
from influence_jax.learner import train
from influence_jax.learner.learner import make_learner
from influence_jax.platforms import traced_for
from influence_jax.runtime import population
from tests.learner.worlds import probe_config
from tests.runtime.runs import assert_same, assert_same_metrics


def test_agents_learn_to_answer_what_they_see():
    """Every agent its own cue in more than nine of ten steps; by chance it would be every third."""
    config = probe_config(
        model="independent",
        network=NetworkConfig(conv_channels=6, hidden_size=32, core_size=32),
        learner=LearnerConfig(num_envs=32, rollout_length=6, optimizer="adam"),
        hyperparams=Hyperparams(learning_rate=5e-3, learning_rate_end=5e-4, discount=0.3, max_grad_norm=1.0),
        total_steps=32 * 6 * 200,
        log_interval=40,
    )
    run = influence_jax.train(config)
    assert (run.metrics["agent_returns"][-1] > 0.9 * 6).all(), run.metrics["agent_returns"]


@pytest.mark.slow
def test_a_chunk_is_its_updates_one_after_another(learner, state, step):
    """Two updates: the parameters to rounding, and the means over both."""
    after, logs = jax.jit(lambda state: train.train_step(learner, state, 100.0))(state)
    one, first = step(state)
    two, second = step(one)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), after.params, two.params)
    np.testing.assert_array_equal(after.rollout_state.env_state.time, two.rollout_state.env_state.time)
    both = jax.tree.map(jnp.add, first["step_reward"], second["step_reward"])
    np.testing.assert_allclose(logs["step_reward"], both.value(), rtol=1e-5)


@pytest.mark.slow
def test_a_loop_of_ones_own_is_the_training():
    """The whole state is equal bit for bit, in a process that does not set up tracing as `train` does."""
    learner = make_learner(probe_config(model="moa", seeds=2, total_steps=80))
    with traced_for(None):
        start = jax.jit(jax.vmap(lambda seed: influence_jax.init(learner, jax.random.key(seed))))
        step = jax.jit(
            jax.vmap(functools.partial(influence_jax.train_step, learner)),
            compiler_options=influence_jax.compiler_options(),
        )
        state = start(np.arange(2))
        for _ in range(2):
            state, metrics = step(state)
    run = influence_jax.train(learner)
    assert run.update == int(state.update[0]) == 4
    assert_same(state, run.state)
    assert_same_metrics(metrics, {name: run.metrics[name][-1] for name in metrics})


def test_a_member_starts_from_its_key_and_its_own_numbers(learner):
    start = jax.jit(lambda key, hparams: train.init(learner, key, hparams))
    rates = learner.config.hyperparams.replace(learning_rate=jnp.array([0.1, 0.2, 0.3]))
    one, again, other = (start(jax.random.key(seed), rates) for seed in (0, 0, 1))
    jax.tree.map(np.testing.assert_array_equal, one.params, again.params)
    assert any(jnp.any(a != b) for a, b in zip(*map(jax.tree.leaves, (one.params, other.params)), strict=True))
    np.testing.assert_allclose(one.hyperparams.learning_rate, [0.1, 0.2, 0.3])
    assert all(x.shape == (3,) and x.dtype == jnp.float32 for x in jax.tree.leaves(one.hyperparams))
    kernel = one.params["action_head"]["kernel"]
    assert jnp.any(kernel[0] != kernel[1]), "every agent begins as somebody of its own"
    assert int(one.update) == 0


@pytest.mark.parametrize("before", ["running_std", "none"])
@pytest.mark.parametrize("after", ["running_std", "none"])
def test_values_survive_the_start_from_another_run(before, after):
    """In units of reward, whatever the scales of the two runs; if both scale rewards, the statistics are taken over."""

    def learner(scaling):
        return make_learner(probe_config(seeds=2).override(reward_scaling=scaling))

    def values(learner, state):
        unit = jax.vmap(lambda scale: scale.std())(state.reward_scale["action"]) if learner.scale_rewards else 1.0
        head = state.params["value_head"]
        return unit * (head["bias"][..., 0] + head["kernel"].sum(axis=(-2, -1)))

    source, target = learner(before), learner(after)
    trained, fresh = (population.init_population(x) for x in (source, target))
    returns = jnp.array([30.0, -2.0, 5.0]) + 4 * jax.random.normal(jax.random.key(0), (2, 3, 4, 3))
    seen = jax.vmap(lambda scale, x: scale.add(x))(trained.reward_scale["action"], returns)
    trained = trained.replace(reward_scale={"action": seen}, params=jax.tree.map(lambda x: x + 0.5, trained.params))
    found = train.warm_start(target, fresh, source, trained)
    np.testing.assert_allclose(values(target, found), values(source, trained), rtol=1e-4)
    assert (found.reward_scale["action"].weight > 0).all() == (before == after == "running_std")
    np.testing.assert_array_equal(found.reward_scale["action"].discounted, fresh.reward_scale["action"].discounted)


def test_shared_parameters_begin_with_shared_parameters():
    alone, together = (make_learner(probe_config().override(share_parameters=shared)) for shared in (False, True))
    with pytest.raises(
        ConfigError, match="share_parameters is True after a run of agents with parameters of their own"
    ):
        train.warm_start(together, None, alone, None)


def test_a_network_without_such_a_value_head_cannot_be_rescaled():
    with pytest.raises(ConfigError, match=r"no parameters 'value_head'; allowed: 'running_std'"):
        train.rescaled_values({"policy": jnp.zeros((2, 3))}, {"action": jnp.ones((2, 3))})
