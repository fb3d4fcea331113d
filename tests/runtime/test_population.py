"""Members of one program get their own settings, and the same results as alone."""

import dataclasses
import json

import jax
import numpy as np
import pytest

import influence_jax
from influence_jax.config import ConfigError
from influence_jax.learner.learner import make_learner
from influence_jax.runtime import population
from tests.learner.worlds import probe_config


@pytest.fixture(scope="module")
def single(tiny):
    return dataclasses.replace(tiny, seeds=1, total_steps=3 * 4 * 20)


def test_grid_gives_the_same_seeds_to_every_setting():
    values = influence_jax.grid(seeds=4, learning_rate=[1e-3, 3e-4, 1e-4], influence_weight=[0, 2.5])
    assert {name: len(column) for name, column in values.items()} == dict.fromkeys(values, 24)
    assert values["seed"].tolist() == [0, 1, 2, 3] * 6
    assert len(set(zip(*(column.tolist() for column in values.values()), strict=True))) == 24
    assert influence_jax.grid(seeds=[7, 9])["seed"].tolist() == [7, 9]


@pytest.mark.slow
def test_three_rates_two_weights_and_four_seeds_are_one_program(single, tmp_path):
    values = influence_jax.grid(seeds=4, learning_rate=[1e-3, 3e-4, 0], influence_weight=[0, 2.5])
    run = influence_jax.train(single, hyperparams=values, out=tmp_path / "run")
    assert run.config.seeds == 4 and run.metrics["collective_return"].shape == (2, 24)
    members = json.loads((tmp_path / "run" / "members.json").read_text())
    assert members == run.members and len(members) == 24
    assert members[7] == {"member": 7, "seed": 3, "learning_rate": 0.001, "influence_weight": 2.5}
    np.testing.assert_allclose(run.state.hyperparams.learning_rate[:, 0], values["learning_rate"], rtol=1e-6)
    # What a member learned depends on its own numbers alone.
    alone = influence_jax.train(
        dataclasses.replace(
            single, seed=3, hyperparams=single.hyperparams.replace(learning_rate=1e-3, influence_weight=2.5)
        )
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a[7], b[0], atol=1e-5), run.state.params, alone.state.params)
    loaded = influence_jax.load(tmp_path / "run")
    assert loaded.members == members
    jax.tree.map(np.testing.assert_array_equal, loaded.state.hyperparams, run.state.hyperparams)


def test_a_population_of_settings_resumes(single, tmp_path):
    values = {"learning_rate": [1e-3, 0], "env.params.hit_penalty": [0, 50]}

    def stop(point):
        if point.update == 10:
            raise KeyboardInterrupt

    whole = influence_jax.train(single, hyperparams=values)
    influence_jax.train(single, hyperparams=values, out=tmp_path / "run", callback=stop)
    from influence_jax.runtime.run import resume

    rest = resume(tmp_path / "run")
    jax.tree.map(np.testing.assert_array_equal, whole.state.params, rest.state.params)
    with pytest.raises(ConfigError, match="holds a run under another configuration: members is"):
        influence_jax.train(single, hyperparams={"learning_rate": [1, 2]}, out=tmp_path / "run", resume=True)


def test_every_agent_of_a_member_may_have_a_number_of_its_own(tiny):
    weights = [[0.0, 0.0], [50.0, 0.0]]
    state = population.init_population(make_learner(tiny), {"influence_weight": weights, "discount": [0.5, 0.9]})
    assert state.hyperparams.influence_weight.tolist() == weights
    np.testing.assert_allclose(state.hyperparams.discount, [[0.5, 0.5], [0.9, 0.9]])


def test_a_number_of_the_game_is_that_of_its_member(single):
    """In one program, random agents are fined in one member and not in the other."""
    config = dataclasses.replace(
        single, hyperparams=single.hyperparams.replace(learning_rate=0.0, learning_rate_end=0.0)
    )
    run = influence_jax.train(config, hyperparams={"env.params.fire_cost": [0, 7], "seed": [5, 5]})
    metrics = run.metrics
    fired = metrics["fires"][-1]
    assert fired[0] == fired[1] > 0
    difference = metrics["collective_return"][-1, 0] - metrics["collective_return"][-1, 1]
    np.testing.assert_allclose(difference, 7 * fired[0], rtol=1e-4)
    evaluation = influence_jax.evaluate(run.learner, run.state, 3)
    np.testing.assert_array_equal(evaluation.metrics["fires"][0], evaluation.metrics["fires"][1])
    costs = evaluation.agent_returns[0] - evaluation.agent_returns[1]
    np.testing.assert_allclose(costs, 7 * evaluation.metrics["fires"][0], rtol=1e-5)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"learning_rat": [1]}, "is not a setting; allowed: learning_rate, "),
        ({"env.params.hit_penalt": [1]}, "Did you mean 'env.params.hit_penalty'?"),
        (
            {"learning_rate": [1, 2], "discount": [0.5, 0.6, 0.7]},
            "has 2 members, where others have 3; allowed: 1 or 3.",
        ),
        ({"learning_rate": [-1, 2]}, "is -1; allowed: numbers from 0 up"),
        ({"discount": [0.5, float("nan")]}, "is nan; allowed: numbers from 0 to 1."),
        ({"learning_rate": [[1, 2, 3]]}, "has shape [1, 3]; allowed: [1] or [1, 2], members first."),
        ({"learning_rate": 0.1}, "has shape []; allowed: [1] or [1, 2], members first."),
        ({"envy": [1, 2]}, "does not use it; allowed: 5.0."),
        (
            {"exploration_fraction": [0.5, 0.25]},
            "exploration_fraction is 0.25, but hyperparams.exploration 0.0 does not use it",
        ),
        (
            {"exploration": [[0.1, 0], [0.1, 0.1]], "exploration_fraction": [0.2]},
            "is 0.2, but hyperparams.exploration 0.0 does not use it",
        ),
        ({"seed": [-1]}, "is -1; allowed: whole numbers from 0"),
        ({"seed": [[1, 2]]}, "has shape [1, 2]; allowed: [1], members first."),
        ({"learning_rate": ["fast"]}, "is 'fast'; allowed: numbers from 0 up"),
    ],
)
def test_refusals(single, values, words):
    with pytest.raises(ConfigError) as error:
        influence_jax.train(single, hyperparams=values)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_agents_that_share_parameters_take_the_same_steps(single):
    learner = make_learner(single.override(share_parameters=True))
    population.with_members(learner, {"learning_rate": [0.1, 0.2], "discount": [[0.5, 0.6], [0.5, 0.5]]})
    with pytest.raises(ConfigError, match=r"'learning_rate'\] differs between agents, which share their parameters"):
        population.with_members(learner, {"learning_rate": [[0.1, 0.1], [0.1, 0.2]]})


def test_members_go_together_with_the_settings_that_all_share(single):
    unmeasured = dataclasses.replace(
        single,
        influence=dataclasses.replace(single.influence, measure="none"),
        hyperparams=single.hyperparams.replace(influence_weight=0.0),
    )
    with pytest.raises(ConfigError, match=r"influence_weight is 2.5, but influence.measure 'none' does not use it"):
        influence_jax.train(unmeasured, hyperparams={"influence_weight": [0, 2.5]})
    learner = make_learner(single)
    population.with_members(learner, {"exploration": [0.1, 0.2], "exploration_fraction": [0.2, 0.3]})


def test_seeds_that_settings_name_are_the_seeds_of_the_configuration(tiny):
    learner, rates = make_learner(tiny), {"learning_rate": [1, 2, 3]}
    with pytest.raises(ConfigError, match=r"seeds is 2, but the seeds in hyperparams are 3; allowed: 1 or 3\."):
        population.with_members(learner, rates)
    with pytest.raises(ConfigError, match=r"seeds is 2, but the seeds in hyperparams are 1"):
        population.with_members(learner, rates | {"seed": [5, 5, 5]})
    four = dataclasses.replace(learner, config=dataclasses.replace(tiny, seeds=1))
    settings = influence_jax.grid(seeds=4, learning_rate=[1, 2, 3])
    four = population.with_members(four, settings)
    assert four.config.seeds == 4 and population.population_size(four, settings) == 12
    assert [member["seed"] for member in population.member_settings(four, settings)] == [0, 1, 2, 3] * 3


@pytest.mark.slow
def test_member_of_a_population_is_a_solo_run():
    config = probe_config(seeds=3, seed=4)
    together, alone = (make_learner(c) for c in (config, dataclasses.replace(config, seeds=1, seed=5)))
    results = []
    for learner in (together, alone):
        state = population.init_population(learner)
        chunk = population.compile_chunk(learner)
        results.append(chunk(state, 10.0))
    (many, many_logs), (one, one_logs) = results
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a[1], b[0], atol=1e-5), many.params, one.params)
    np.testing.assert_allclose(many_logs["step_reward"][1], one_logs["step_reward"][0], rtol=1e-5)
    assert many_logs["step_reward"][0] != many_logs["step_reward"][1]
    np.testing.assert_array_equal(jax.random.key_data(many.key)[1], jax.random.key_data(one.key)[0])


@pytest.mark.slow
def test_a_member_of_many_is_a_member_of_two():
    """Member 17 of 64 equals the same member next to a single other one, bit for bit."""
    results = []
    for seeds, seed in ((64, 0), (2, 17)):
        learner = make_learner(probe_config(seeds=seeds, seed=seed))
        results.append(population.compile_chunk(learner)(population.init_population(learner), 10.0))
    many, two = (jax.device_get((state.params, state.opt_state, metrics)) for state, metrics in results)
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[17:19], b), many, two)
