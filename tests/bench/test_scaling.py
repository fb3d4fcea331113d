"""``bench scaling``: every axis and its plot."""

import pytest

from influence_jax import make_learner, presets
from influence_jax.bench import scaling
from influence_jax.bench.learner import sized
from tests.bench.answers import answer


@pytest.mark.slow
def test_scaling_draws_every_axis(tmp_path):
    axes = answer(scaling, tmp_path)["axes"]
    assert axes["environments"]["flat_from"]["cleanup"] in (1, 2)
    assert {row["seeds"] for row in axes["seeds"]["rows"]} == {2}
    (cost,) = axes["agents"]["cost_by_agents"]
    assert cost["num_agents"] == 2 and cost["learner_microseconds_per_agent"] > 0
    for axis in axes:
        assert (tmp_path / f"scaling_{axis.replace(' ', '_')}.png").stat().st_size > 1000
        assert all(row["fraction_of_limit"] > 0 for row in axes[axis]["rows"])


def test_every_default_number_of_agents_can_learn():
    usual = scaling.Arguments()
    for num_agents in usual.num_agents:
        config = sized(presets.get(usual.preset, usual.profile), 1, usual.agent_envs, num_agents=num_agents)
        assert make_learner(config).env.num_agents == num_agents


def test_flat_is_where_the_cost_no_longer_varies():
    assert scaling.flat_from({1: 5.0, 2: 1.2, 4: 1.0, 8: 1.05}) == 4
    assert scaling.flat_from({1: 1.0, 2: 1.1, 4: 1.2}) == 2
