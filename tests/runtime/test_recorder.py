"""Rows of metrics, in memory and in files."""

import numpy as np

from influence_jax.runtime.recorder import ALWAYS, Recorder, make_rows, truncate


def test_rows_are_json_and_exact():
    logs = {"a": np.float32([0.1, np.nan]), "b": np.float32([[1.0, np.inf], [1 / 3, 2.0]])}
    first, second = make_rows(logs, update=7)
    unknown = dict.fromkeys(ALWAYS)
    assert first == {"update": 7, "member": 0, "a": 0.1, "b": [1.0, None]} | unknown
    assert second["a"] is None and np.float32(second["b"][0]) == np.float32(1 / 3)


def test_truncate(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"update": 1}\n{"update": 2}\n{"update": 3}\n{"upda')
    truncate(path, 2)
    assert path.read_text() == '{"update": 1}\n{"update": 2}\n'
    truncate(path, 0)
    assert path.read_text() == ""


def test_memory_and_files_hold_the_same(tmp_path):
    points = [make_rows({"a": np.float32([u, 2 * u])}, update=u, env_steps=10 * u) for u in (1, 2)]
    found = []
    for directory in (None, tmp_path):
        recorder = Recorder(directory, members=2, from_update=0, from_env_steps=0)
        for rows in points:
            recorder.write(rows)
        found.append(recorder.metrics())
        recorder.close()
    for metrics in found:
        np.testing.assert_array_equal(metrics["a"], [[1, 2], [2, 4]])
        np.testing.assert_array_equal(metrics["update"], [[1, 1], [2, 2]])
    assert found[0].keys() == found[1].keys()
    assert len(list((tmp_path / "tensorboard").glob("member_*/events*"))) == 2
