"""The probes reward what they claim to reward."""

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.envs import make

PROBE = "influence_jax.envs.probes:"


def step(env, state, actions, noise=0):
    noise = jnp.full(env.spec.num_agents, noise, jnp.int32)
    return env.transition(state, jnp.asarray(actions), noise, env.default_params)


def start(env, cue):
    state, timestep = env.reset(jax.random.key(0), env.default_params)
    return state.replace(cue=jnp.asarray(cue)), timestep


def test_a_cue_is_shown_and_paid_once():
    env = make(PROBE + "Cue", num_agents=3)
    state, _ = start(env, [0, 1, 2])
    image, visible = env.observe(state)
    for agent, row in enumerate((0, 1, 2)):
        white = (image[agent] == 255).all(axis=(1, 2))
        assert white.tolist() == [row == other for other in range(3)]
    np.testing.assert_array_equal(visible, ~np.eye(3, dtype=bool))
    state, timestep = step(env, state, [0, 1, 1], noise=2)
    assert timestep.reward.tolist() == [1, 1, 0] == timestep.metrics["answers"].tolist()
    assert state.cue.tolist() == [2, 2, 2]


def test_recall_hides_its_cue_and_keeps_it():
    env = make(PROBE + "Recall")
    state, _ = start(env, [1, 2])
    assert env.observe(state)[0].any()
    for _ in range(3):
        state, timestep = step(env, state, [1, 1], noise=1)
        assert timestep.reward.tolist() == [1, 0] and not timestep.observation.any()


def test_a_stipend_pays_for_anything_and_never_ends():
    env = make(PROBE + "Stipend", horizon=3)
    state, _ = start(env, [0, 0])
    ends = []
    for _ in range(3):
        state, timestep = step(env, state, [2, 1])
        assert timestep.reward.tolist() == [1, 1] and timestep.discount == 1
        ends.append(bool(timestep.truncated))
    assert ends == [False, False, True]


def test_severance_pays_until_it_ends_and_shows_the_time_left():
    env = make(PROBE + "Severance", horizon=3)
    state, _ = start(env, [0, 0])
    ends, rows = [], []
    for _ in range(3):
        state, timestep = step(env, state, [0, 0])
        assert timestep.reward.tolist() == [1, 1] and not timestep.truncated
        ends.append(float(timestep.discount))
        rows.append(np.flatnonzero(timestep.observation[0].any(axis=(1, 2))).tolist())
    assert ends == [1, 1, 0] and rows == [[2], [1], [0]]


def test_fines_by_hand():
    """Two agents see a cue and a query; one answers and strikes nobody, the other strikes and hits."""
    env = make(PROBE + "Fines", num_agents=2)
    state, _ = env.reset(jax.random.key(0), env.default_params)
    state = state.replace(cue=jnp.array([5, 2]), shown=jnp.array([True, False]), asked=jnp.array([False, True]))
    image = np.asarray(env.observe(state)[0])
    white, green = (image[0] == 255).all(axis=-1), (image[1] == [0, 255, 0]).all(axis=-1)
    assert np.argwhere(white).min(axis=0).tolist() == [11, 1] and white.sum() == 9  # the sixth place of the ring
    assert np.argwhere(green).min(axis=0).tolist() == [6, 6] and green.sum() == 9 and not image[1, ..., [0, 2]].any()
    hit = jnp.array([[False, True], [True, False]])
    noise = (jnp.array([7, 7]), jnp.array([False, True]), jnp.array([True, False]), hit)
    after, timestep = env.transition(state, jnp.array([5, 8]), noise, env.default_params)
    assert timestep.reward.tolist() == [1 - 50, -1]
    assert {name: x.tolist() for name, x in timestep.metrics.items()} == {
        "cues": [1, 0], "answers": [1, 0], "queries": [0, 1], "recalls": [0, 0], "strikes": [0, 1]
    }  # fmt: skip
    assert after.cue.tolist() == [5, 7]  # a query leaves the cue to be remembered
    assert env.transition(after, jnp.array([5, 7]), noise, env.default_params)[1].reward.tolist() == [1, 1]
    unseen = state.replace(cue=jnp.array([-1, -1]))
    assert env.transition(unseen, jnp.array([-1, -1]), noise, env.default_params)[1].reward.tolist() == [0, 0]


def test_fines_come_as_often_as_they_say():
    env = make(PROBE + "Fines")
    cue, shown, asked, hit = jax.vmap(env.sample_noise, in_axes=(0, None))(
        jax.random.split(jax.random.key(1), 2000), env.default_params
    )
    np.testing.assert_allclose(np.bincount(cue.ravel(), minlength=8) / cue.size, 1 / 8, atol=0.015)
    np.testing.assert_allclose([shown.mean(), asked.mean(), hit.mean()], [0.2, 0.8 * 0.2, 0.25 * 4 / 5], atol=0.015)
