"""Merged shards equal the sweep in one directory."""

import dataclasses
import json
import shutil

import pytest

import influence_jax
from influence_jax.config import ConfigError
from tests.runtime.runs import WALL_CLOCK, assert_same, stop_at

SPACE = {"random": {"learning_rate": "log:1e-4:1e-2"}, "trials": 4}
COUNT = 2  # of shards: two trials each


@pytest.fixture(scope="module")
def single(small):
    return dataclasses.replace(small, seeds=1)


@pytest.fixture(scope="module")
def shards(single, tmp_path_factory):
    places = [tmp_path_factory.mktemp("shards") / str(i) for i in range(COUNT)]
    for i, place in enumerate(places):
        influence_jax.sweep(single, **SPACE, shard=(i, COUNT), out=place)
    return places


def test_merged_shards_equal_the_sweep_in_one_directory(single, shards, tmp_path):
    whole = influence_jax.sweep(single, **SPACE, out=tmp_path / "whole")
    merged = influence_jax.merge(shards[::-1], out=tmp_path / "merged")
    assert merged.finished and merged.space == whole.space
    assert [sorted(set(program.trials)) for program in merged.programs] == [[0, 1], [2, 3]]
    clock = [*WALL_CLOCK]
    found, wanted = (sweep.table().drop(columns=clock) for sweep in (merged, whole))
    assert len(found) == 4 * 4 and found.equals(wanted)  # bit for bit; NaN where both have it
    for row, other in zip(merged.rows(), whole.rows(), strict=True):
        assert str(row) == str(other)
    assert str(merged.best(4, "entropy")) == str(whole.best(4, "entropy"))
    assert_same(merged.runs[0].state.params, influence_jax.load(shards[0]).runs[0].state.params)


def test_a_shard_goes_on_and_only_as_what_it_was(single, shards, tmp_path):
    stopped = influence_jax.sweep(single, **SPACE, shard=(0, COUNT), out=tmp_path / "x", callback=stop_at(2))
    assert not stopped.finished
    with pytest.raises(ConfigError, match=r"shards that are not finished: \['[^,]*x'\]; finish these first"):
        influence_jax.merge([tmp_path / "x", *shards[1:]], out=tmp_path / "merged")
    for other in ((1, COUNT), None):
        with pytest.raises(ConfigError, match=r"holds another sweep: shard is .*, was \[0, 2\]"):
            influence_jax.sweep(single, **SPACE, shard=other, out=tmp_path / "x", resume=True)
    again = influence_jax.sweep(single, **SPACE, shard=(0, COUNT), out=tmp_path / "x", resume=True)
    assert again.finished and [row["trial"] for row in again.rows()] == [0, 1]
    assert not (tmp_path / "merged").exists()


def test_shards_that_do_not_fit_are_named(shards, tmp_path):
    first, second = shards

    def refused(places, sentence, out="out"):
        with pytest.raises(ConfigError, match=sentence):
            influence_jax.merge(places, out=tmp_path / out)

    refused([second], "shards are missing: 0/2; merge all of them")
    refused([first, second, first], f"'{first}' and '{first}' hold the same shard, 0/2")
    refused("shards", "shards is 'shards'; allowed: a list of at least one directory")
    refused([], r"shards is \[\]; allowed")
    refused([tmp_path / "none"], "holds no sweep")
    other = tmp_path / "other"
    shutil.copytree(second, other)

    def change(**changes):
        about = json.loads((second / "sweep.json").read_text())
        (other / "sweep.json").write_text(json.dumps(about | changes))

    about = json.loads((second / "sweep.json").read_text())
    for changes in ({"space": about["space"] | {"seed": 1}}, {"shard": [1, 3]}):
        change(**changes)
        refused([first, other], f"'{first}' and '{other}' hold shards of different sweeps")
    change(shard=[2, 2])
    refused([first, other], r"shard is \[2, 2\]; allowed")
    change(shard=[1, 2], programs=[])
    refused([first, other], r"shards hold the trials \[0, 1\]; allowed: each of 4 once")
    change(programs=[{"settings": {"network.critic": "shared"}, "trials": [3, 3]}])
    refused([first, other], "lists other trials than its own")
    del about["shard"]
    (other / "sweep.json").write_text(json.dumps(about))
    refused([first, other], f"'{other}' holds a whole sweep; allowed: shards of one")
    refused(shards, "is not empty", out="other")
    assert {path.name for path in tmp_path.iterdir()} == {"other"}
