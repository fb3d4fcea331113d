"""Functions use their platform's version, and the package runs in a process that is strict about its own code."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import influence_jax
from influence_jax import envs
from influence_jax.learner.learner import make_learner
from influence_jax.platforms import by_platform, traced_for
from tests.learner.worlds import probe_config


def test_a_form_is_chosen_when_it_is_traced_or_else_when_it_is_lowered():
    def f(x):
        return by_platform(x, cpu=lambda x: x + 1, tpu=lambda x: x * 3, default=lambda x: x - 1)

    for platform, expected in (("cpu", 3), ("tpu", 6), ("cuda", 1)):
        with traced_for(platform):
            assert jax.jit(f)(2.0) == expected
    with traced_for(None):  # as in a program of one's own
        traced = jax.jit(f).trace(2.0)
    for platform, word in (("cpu", "add"), ("tpu", "multiply"), ("cuda", "subtract")):
        text = traced.lower(lowering_platforms=(platform,)).as_text()
        assert [name for name in ("add", "multiply", "subtract") if f"stablehlo.{name} " in text] == [word]


@pytest.fixture
def strict():
    """A process that is as strict as possible about its own code."""
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        yield


@pytest.mark.slow
def test_training_and_evaluation_in_a_strict_process(strict):
    run = influence_jax.train(make_learner(probe_config(model="moa", total_steps=40)))
    evaluation = influence_jax.evaluate(run.learner, run.state, 2)
    assert run.finished and np.isfinite(evaluation.collective_return).all()
    state, _ = run.learner.env.reset(jax.random.key(0), run.learner.env_params)
    assert np.isfinite(run.policy().at(state).values).all()
    with pytest.raises(ValueError, match="rank_promotion"):
        jnp.ones(2) + jnp.ones((2, 2))  # it is still strict


@pytest.mark.parametrize("name", envs.registered())
def test_a_game_in_a_strict_program_of_ones_own(name, strict):
    env = influence_jax.make(name)

    @jax.jit
    def episode(key):
        state, timestep = env.reset(key, env.default_params)
        actions = jnp.zeros(env.spec.num_agents, jnp.int32)
        state, timestep = env.step(key, state, actions, env.default_params)
        return env.step_or_reset(key, state, timestep, actions, env.default_params), env.observe(state)

    assert jnp.isfinite(episode(jax.random.key(0))[0][1].reward).all()
