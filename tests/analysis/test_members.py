"""Runs, metrics and groups of members get names."""

import numpy as np
import pytest

from influence_jax.analysis.members import groups, name_of
from influence_jax.settings import ConfigError
from tests.analysis.rows import recorded, run

GRID = [{"member": m, "influence_weight": [0.0, 2.5][m // 2], "seed": m % 2} for m in range(4)]


def test_names():
    assert name_of(run()) == "harvest-moa"
    assert name_of(run(game="box_trapped", model="independent")) == "box-trapped-a3c"
    assert name_of(run(game="__main__:Flags")) == "Flags-moa"
    assert name_of(run(model="independent", shaper="inequity_averse")) == "harvest-a3c-inequity-averse"


def test_whatever_is_given_has_names():
    metrics = recorded()
    assert list(groups(metrics)) == ["run 0"] and groups(metrics)["run 0"] is metrics
    assert list(groups([metrics, run()])) == ["run 0", "harvest-moa"]
    assert list(groups([run(), run(), run(), run(model="basic")])) == [
        "harvest-moa",
        "harvest-moa (2)",
        "harvest-moa (3)",
        "harvest-basic",
    ]
    assert list(groups({"ours": run(), "theirs": metrics})) == ["ours", "theirs"]


def test_members_with_the_same_setting_are_a_group():
    both = run(GRID)
    found = groups(both, by="influence_weight")
    assert list(found) == ["influence_weight 0", "influence_weight 2.5"]
    np.testing.assert_array_equal(found["influence_weight 2.5"]["agent_returns"], both.metrics["agent_returns"][:, 2:])
    assert list(groups([both, run()], by="influence_weight")) == [
        "harvest-moa, influence_weight 0",
        "harvest-moa, influence_weight 2.5",
        "harvest-moa (2), influence_weight 0",  # that of its configuration
    ]
    assert list(groups(both, by=["influence_weight", "seed"]))[1:3] == [
        "influence_weight 0, seed 1",
        "influence_weight 2.5, seed 0",
    ]
    per_agent = [{"member": 0, "learning_rate": [1e-3, 1e-4], "seed": 0}]
    assert list(groups(run(per_agent), by="learning_rate")) == ["learning_rate (0.001, 0.0001)"]


def test_what_cannot_be_grouped_is_refused():
    with pytest.raises(ConfigError, match=r"by is 'influence_wait'; allowed: .* Did you mean 'influence_weight'"):
        groups(run(GRID), by="influence_wait")
    with pytest.raises(ConfigError, match="by is 'seed' with metrics alone"):
        groups(recorded(), by="seed")
    with pytest.raises(ConfigError, match=r"runs is \[\], without anything in it"):
        groups([])
