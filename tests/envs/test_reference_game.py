"""Whole random episodes against the slow reference game of ``tests/reference``."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import influence_jax.envs
from tests.reference.game import Game

WALLED_CLEANUP = (
    "@@@@@@@@@@@@",
    "@HRRHSPPBBB@",
    "@RHRRSPPBB @",
    "@HRHRSPP@BB@",
    "@RRHHSPPBBB@",
    "@@@@@@@@@@@@",
)
OPEN_CLEANUP = ("PRHRPBB", "RHRRPBB", "PRRHPB ", "HRRR BB", "P RRPBB", "PRRR@BB", "PRRRPBB", "PRRRPBB", "PPPPPPP")
WALLED_HARVEST = ("@@@@@@@@@", "@AAPPPAA@", "@AA@P AA@", "@PAAPAAP@", "@@@@@@@@@")
OPEN_HARVEST = ("PAPAP", "AAPAA", "PAAAP", "AP@PA", "AAPAA", "PAPAP", "APAPA")

GAMES = {
    "walled-cleanup": ("cleanup", WALLED_CLEANUP, 5, 7, "egocentric", {}),
    "open-cleanup": ("cleanup-mp", OPEN_CLEANUP, 8, 3, "reference", {"waste_rule": "bernoulli"}),
    "walled-harvest": ("harvest", WALLED_HARVEST, 7, 2, "egocentric", {}),
    "open-harvest": ("harvest-mp", OPEN_HARVEST, 12, 4, "egocentric", {"squared_radius": 4}),
    "crowd": ("harvest", ("PPPPPPPPP", "PAPAP@PAP", "PPPPPPPAP", "APPP@PPPP", "PPPAPPPPP"), 36, 1, "egocentric", {}),
    "one-agent": ("cleanup", OPEN_CLEANUP, 1, 0, "reference", {}),
    "no-actions-cleanup": ("cleanup", OPEN_CLEANUP, 8, 1, "egocentric", {}),
    "no-actions-harvest": ("harvest", OPEN_HARVEST, 12, 1, "egocentric", {}),
}
EPISODES, STEPS = 2, 150


@pytest.mark.parametrize("game", GAMES)
def test_random_episodes(game):
    name, layout, num_agents, radius, view, rules = GAMES[game]
    env = influence_jax.envs.make(
        name, layout=layout, num_agents=num_agents, view_radius=radius, view=view, horizon=STEPS
    )
    params = env.default_params
    key = jax.random.key(len(game))
    # Crowds push forward, and beams are frequent: a uniform player hardly meets anybody.
    weights = np.array([1, 1, 5, 1, 1, 2, 2, 2, 5][: env.spec.num_actions], float)

    def episode(key):
        reset_key, action_key, noise_key = jax.random.split(key, 3)
        actions = jax.random.choice(action_key, len(weights), (STEPS, num_agents), p=weights / weights.sum())
        if game.startswith("no-actions"):  # integers that are no actions
            which_key, strange_key = jax.random.split(jax.random.fold_in(action_key, 1))
            strange = jax.random.choice(
                strange_key, np.array([-1, -7, -(2**31), len(weights), 2**31 - 1]), actions.shape
            )
            actions = jnp.where(jax.random.bernoulli(which_key, 0.3, actions.shape), strange, actions)
        noise = jax.vmap(env.sample_noise, (0, None))(jax.random.split(noise_key, STEPS), params)

        def step(state, inputs):
            state, timestep = env.transition(state, *inputs, params)
            return state, (state, timestep)

        first = env.reset(reset_key, params)
        return first, actions, noise, jax.lax.scan(step, first[0], (actions, noise))[1]

    episodes = jax.device_get(jax.jit(jax.vmap(episode))(jax.random.split(key, EPISODES)))
    metrics = dict.fromkeys(("apples", "fires", "hits", "cleans"), 0.0)
    for index in range(EPISODES):
        first, actions, noise, played = jax.tree.map(lambda x: x[index], episodes)
        reference = Game(layout, **rules)
        waste = getattr(first[0], "waste", np.zeros(env.walls.shape, bool))
        reference.restore(first[0].position, first[0].heading, first[0].apples, waste)
        compare(reference, *first, radius, view)
        for t in range(STEPS):
            now = {key: value[t] for key, value in vars(noise).items()}
            expected = reference.step(actions[t], now)
            state, timestep = jax.tree.map(lambda x: x[t], played)
            compare(reference, state, timestep, radius, view)
            np.testing.assert_array_equal(timestep.reward, expected["reward"])
            for fact in metrics:
                np.testing.assert_array_equal(timestep.metrics[fact], expected[fact])
                metrics[fact] += expected[fact].sum()
    never = {"cleans"} if name.startswith("harvest") else set()
    never |= {"hits"} if num_agents == 1 else set()
    assert {fact for fact, total in metrics.items() if total == 0} == never


def compare(reference, state, timestep, radius, view):
    assert reference.position == [tuple(cell) for cell in state.position.tolist()]
    assert len(set(reference.position)) == len(reference.position)
    assert reference.heading == state.heading.tolist()
    assert reference.time == state.time
    np.testing.assert_array_equal(state.apples, reference.grid(reference.apples))
    if hasattr(state, "waste"):
        np.testing.assert_array_equal(state.waste, reference.grid(reference.waste))
    np.testing.assert_array_equal(state.beams, reference.beam_grid())
    np.testing.assert_array_equal(timestep.visible, reference.visible(radius))
    for agent in {reference.time % len(reference.position), 0}:
        image = reference.view(agent, radius, view == "egocentric")
        np.testing.assert_array_equal(timestep.observation[agent], image)
