"""The settings that a sweep tries, against lists by hand."""

import json

import numpy as np
import pytest

from influence_jax import presets
from influence_jax.config import ConfigError
from influence_jax.sweeps.space import Draw, make_space, read, read_draw, read_values

CONFIG = presets.get("harvest-moa", profile="small")


def test_every_combination_with_every_draw():
    grid = {"learning-rate": [1e-3, 3e-4], "critic": ["shared"]}
    found = make_space(CONFIG, grid, {"entropy_coef": "log:1e-4:1e-2"}, 2).settings()
    first, second = (trial["entropy_coef"] for trial in found[:2])
    assert [trial["learning_rate"] for trial in found] == [1e-3, 1e-3, 3e-4, 3e-4]
    assert [trial["entropy_coef"] for trial in found] == [first, second, first, second]
    assert 1e-4 < first < 1e-2 and first != second and {trial["network.critic"] for trial in found} == {"shared"}


def test_draws_depend_on_seed_and_name_alone():
    """So a baseline with other settings tries the same draws."""
    wide = make_space(CONFIG, random={"entropy_coef": "log:1e-4:1e-2", "discount": "uniform:0.9:1"}, trials=3)
    narrow = make_space(CONFIG, random={"entropy_coef": "log:1e-4:1e-2"}, trials=3)
    other = make_space(CONFIG, random={"entropy_coef": "log:1e-4:1e-2"}, trials=3, seed=1)
    drawn = [[trial["entropy_coef"] for trial in space.settings()] for space in (wide, narrow, other)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_draws_are_distributed_as_said():
    rng = np.random.default_rng(0)
    log = np.log10(Draw("log", (1e-4, 1e-2)).sample(rng, 10_000))
    assert -4 <= log.min() and log.max() <= -2 and abs(log.mean() + 3) < 0.02
    uniform = np.array(Draw("uniform", (2.0, 4.0)).sample(rng, 10_000))
    assert abs(uniform.mean() - 3) < 0.02 and abs(uniform.var() - 4 / 12) < 0.02
    assert abs(Draw("choice", ("a", "b")).sample(rng, 10_000).count("a") / 10_000 - 0.5) < 0.02


def test_values_and_draws_are_read():
    assert read_values("1e-3,3e-4") == [1e-3, 3e-4] and read_values("16,2e6") == [16, 2_000_000]
    assert read_values("shared,separate") == ["shared", "separate"] and read_values("true,False") == [True, False]
    assert read_values("[0,0.5],[0,1]") == [(0, 0.5), (0, 1)]
    assert read_draw("x", "log:1e-4:1") == Draw("log", (1e-4, 1.0))
    for draw in (Draw("uniform", (-1.0, 1.0)), Draw("choice", ("a", 2))):
        assert read_draw("x", str(draw)) == draw


def test_a_space_is_read_back_from_its_file(tmp_path):
    space = make_space(CONFIG, {"learning_rate": [1e-3, 1e-4]}, {"discount": "uniform:0.9:1"}, 3, 5)
    (tmp_path / "space.json").write_text(json.dumps(space.to_json()))
    assert make_space(CONFIG, **read(tmp_path / "space.json")) == space


def test_trials_may_be_listed(tmp_path):
    space = make_space(
        CONFIG, listed=[{"learning-rate": 1e-3, "discount": [0.9, 1]}, {"learning_rate": 2e-3, "discount": 0.5}]
    )
    first, second = space.settings()
    assert first == {"learning_rate": 1e-3, "discount": (0.9, 1)}
    assert second["discount"] == 0.5
    (tmp_path / "space.json").write_text(json.dumps(space.to_json()))
    assert make_space(CONFIG, **read(tmp_path / "space.json")) == space
    for listed, sentence in (
        ([{"learning_rate": 1.0}, {"discount": 0.5}], "allowed: the same settings in each"),
        ([{"dsicount": 1.0}], "'dsicount' is not a setting of a sweep"),
        ([{}], "allowed: settings with their values"),
        ("discount", "allowed: settings with their values"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            make_space(CONFIG, listed=listed)
    for beside in ({"grid": {"discount": [0.9]}}, {"trials": 2}, {"seed": 1}):
        with pytest.raises(ConfigError, match="listed is given beside grid, random, trials or seed"):
            make_space(CONFIG, listed=[{"learning_rate": 1.0}], **beside)


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({}, "grid and random are empty; allowed: at least one setting"),
        ({"grid": {"learning_rat": [1]}}, "'learning_rat' is not a setting of a sweep.*Did you mean"),
        ({"grid": {"learning_rate": []}}, r"grid learning_rate is \[\]; allowed: sequences"),
        ({"grid": {"learning_rate": [1, 1]}}, "allowed: each value once"),
        ({"grid": {"learning_rate": "1,2"}}, "allowed: sequences"),
        ({"grid": {"learning_rate": [1]}, "random": {"learning-rate": "log:1:2"}}, "is given twice"),
        ({"random": {"discount": "log:0:1"}}, "allowed: log:LOW:HIGH with 0 < LOW < HIGH"),
        ({"random": {"discount": "uniform:1:0"}}, "random discount is 'uniform:1:0'; allowed"),
        ({"random": {"discount": "normal:0:1"}}, "allowed: log:LOW:HIGH"),
        ({"random": {"discount": "choice:"}}, "allowed: log:LOW:HIGH"),
        ({"grid": {"discount": [0.9]}, "trials": 3}, "trials is 3 without random"),
        ({"random": {"discount": "uniform:0:1"}, "trials": 0}, "trials is 0; allowed: whole numbers from 1"),
        ({"grid": {"seeds": [1, 2]}}, "'seeds' is not a setting of a sweep"),
    ],
)
def test_what_cannot_be_searched_is_refused(arguments, sentence):
    with pytest.raises(ConfigError, match=sentence):
        make_space(CONFIG, **arguments)


@pytest.mark.parametrize("text", ["", "[]", '{"gird": {}}'])
def test_files_that_hold_no_space_are_refused(tmp_path, text):
    (tmp_path / "space.json").write_text(text)
    with pytest.raises(
        ConfigError, match=r"space .*space.json' (cannot be read|holds something else than grid, random, trials, seed)"
    ):
        read(tmp_path / "space.json")
