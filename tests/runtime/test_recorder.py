"""Log points, in memory and in files."""

import builtins
import errno

import numpy as np
import pytest

from influence_jax.analysis import load_metrics
from influence_jax.config import ConfigError
from influence_jax.runtime.recorder import ALWAYS, Recorder, truncate


def point(update):
    return {"update": update, "env_steps": 10 * update, "seconds": 1.25 * update, "steps_per_second": 1.0}


def record(directory, updates, **options):
    recorder = Recorder(directory, **options)
    for update in updates:
        recorder.write(point(update), {"a": np.float32([update, 2 * update])})
    metrics = recorder.metrics()
    recorder.close()
    return metrics


def test_memory_and_files_hold_the_same(tmp_path):
    found = [record(directory, (1, 2)) for directory in (None, tmp_path)]
    for metrics in found:
        np.testing.assert_array_equal(metrics["a"], [[1, 2], [2, 4]])
        np.testing.assert_array_equal(metrics["update"], [[1, 1], [2, 2]])
        assert set(ALWAYS) <= metrics.keys() and np.isnan(metrics["apples"]).all()
    assert found[0].keys() == found[1].keys()


def test_what_comes_after_an_update_is_dropped(tmp_path):
    record(tmp_path, (1, 2, 3))
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"update": 4, "env_st')
    size = (tmp_path / "metrics.f32").stat().st_size // 3
    assert truncate(tmp_path, 2) == (2 * size, 2.5) and (tmp_path / "metrics.f32").stat().st_size == 2 * size
    again = record(tmp_path, (3, 4), from_update=2)
    assert again["update"][:, 0].tolist() == [1, 2, 3, 4] and again["a"][:, 1].tolist() == [2, 4, 6, 8]
    truncate(tmp_path, 0)
    assert load_metrics(tmp_path) == {}


def test_damage_before_is_kept_and_what_follows_is_right(tmp_path):
    record(tmp_path, (1, 2))
    path = tmp_path / "metrics.jsonl"
    path.write_text("garbage\n" + path.read_text().splitlines()[1] + "\n")
    (tmp_path / "metrics.f32").unlink()  # so that values must be put where lines expect them
    with pytest.warns(UserWarning, match="2 of 3 log points"):
        assert record(tmp_path, (3,), from_update=2)["a"].tolist() == [[3, 6]]


def test_a_full_disk_is_said_once_and_nothing_is_lost(tmp_path, monkeypatch):
    recorder, full = Recorder(tmp_path), []

    def no_space(path, mode="r", *arguments):
        if full and "a" in mode:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(path, mode, *arguments)

    original = builtins.open
    monkeypatch.setattr(builtins, "open", no_space)
    recorder.write(point(1), {"a": np.float32([1])})
    full.append(True)
    with pytest.warns(UserWarning, match="cannot be written .*No space left.*training goes on") as said:
        recorder.write(point(2), {"a": np.float32([2])})
        recorder.write(point(3), {"a": np.float32([3])})
    assert len(said) == 1
    full.clear()
    recorder.write(point(4), {"a": np.float32([4])})
    assert recorder.metrics()["a"].tolist() == [[1], [2], [3], [4]]


def test_a_logger_that_fails_is_said_once_and_tried_again(tmp_path):
    class Failing:
        name = "the logger"
        taken = []

        def write(self, shared, metrics):
            if shared["update"] in (2, 3):
                raise OSError("no route")
            self.taken.append((shared["update"], metrics["a"].tolist()))

        def close(self):
            self.taken.append("closed")

    with pytest.warns(UserWarning, match="the logger cannot be given more .no route.; training goes on") as said:
        assert record(tmp_path, (1, 2, 3, 4), loggers=[Failing()])["update"][:, 0].tolist() == [1, 2, 3, 4]
    assert len(said) == 1 and Failing.taken == [(1, [1, 2]), (4, [4, 8]), "closed"]


def test_damaged_lines_keep_their_values(tmp_path):
    record(tmp_path, (1, 2))
    before = (tmp_path / "metrics.f32").read_bytes()
    (tmp_path / "metrics.jsonl").write_text("garbage\ngarbage\n")
    with pytest.warns(UserWarning, match="2 of 3 log points"):
        assert record(tmp_path, (3,), from_update=2)["a"].tolist() == [[3, 6]]
    assert (tmp_path / "metrics.f32").read_bytes().startswith(before)


@pytest.mark.parametrize("name", ["metrics.jsonl", "metrics.f32"])
def test_what_is_no_file_is_a_sentence(tmp_path, name):
    record(tmp_path, (1,))
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    with pytest.warns(UserWarning) as said:
        assert load_metrics(tmp_path) == {}
    assert f"{name}' cannot be read" in str(said[0].message)
    with pytest.raises(ConfigError, match=r"cannot be continued: .*; allowed: files"):
        Recorder(tmp_path, from_update=1)
