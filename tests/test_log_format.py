"""Log points are read back as written, except for damaged ones."""

import json
import time

import numpy as np
import pytest

from influence_jax.log_format import pack, read

POINTS = [
    {"a": np.float32([np.nan, 2]), "b": np.float32([[np.nan, 1], [0.5, 1.5]])},
    {"a": np.float32([3, 4]), "b": np.float32([[1, 2], [1 / 3, 3]])},
    {"a": np.float32([5, 6]), "b": np.float32([[7, 8], [9, np.inf]])},
]


def write(directory, points):
    offset = 0
    with open(directory / "metrics.jsonl", "w") as lines, open(directory / "metrics.f32", "wb") as data:
        for number, metrics in enumerate(points, start=1):
            shared = {"update": 10 * number, "env_steps": 100 * number, "seconds": 1.5, "steps_per_second": 2.0}
            line, values = pack(shared, metrics, offset)
            offset += len(values)
            lines.write(line)
            data.write(values)


def test_what_was_recorded_comes_back(tmp_path):
    write(tmp_path, POINTS)
    metrics = read(tmp_path)
    for name in ("a", "b"):
        np.testing.assert_array_equal(metrics[name], np.stack([point[name] for point in POINTS]))
    assert metrics["update"].tolist() == [[10, 10], [20, 20], [30, 30]] and metrics["update"].dtype.kind == "i"
    assert metrics["env_steps"][-1].tolist() == [300, 300] and metrics["seconds"].shape == (3, 2)


def test_a_line_shows_means_over_what_is_finite(tmp_path):
    write(tmp_path, POINTS)
    text = (tmp_path / "metrics.jsonl").read_text()
    lines = [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]
    assert [line["mean"]["a"] for line in lines] == [2.0, 3.5, 5.5]
    assert lines[0]["mean"]["b"] == [0.5, 1.25] and lines[2]["mean"]["b"] == [8.0, 8.0]
    assert lines[0]["update"] == 10 and lines[0]["members"]["count"] == 2


@pytest.mark.parametrize("line", ["", "{", "[]", "null", "7", '{"update": 10}', "\\xff", '{"members": {"columns": 3}}'])
def test_a_damaged_line_is_left_out_and_said(tmp_path, line):
    write(tmp_path, POINTS)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    lines[1] = line
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.warns(UserWarning, match=r"1 of 3 log points are damaged and left out \(line 2 "):
        metrics = read(tmp_path)
    assert metrics["update"][:, 0].tolist() == [10, 30]


def test_values_that_are_not_those_written_are_left_out(tmp_path):
    write(tmp_path, POINTS)
    data = bytearray((tmp_path / "metrics.f32").read_bytes())
    data[30] ^= 1
    (tmp_path / "metrics.f32").write_bytes(data)
    with pytest.warns(UserWarning, match="line 2 "):
        assert read(tmp_path)["a"].tolist() == [[pytest.approx(np.nan, nan_ok=True), 2], [5, 6]]
    (tmp_path / "metrics.f32").unlink()
    with pytest.warns(UserWarning, match="3 of 3 log points"):
        assert read(tmp_path) == {}


def test_nothing_recorded_is_nothing(tmp_path):
    assert read(tmp_path) == {}


def test_metrics_that_came_later_are_not_numbers_before(tmp_path):
    write(tmp_path, [{"a": POINTS[0]["a"]}, POINTS[1]])
    metrics = read(tmp_path)
    np.testing.assert_array_equal(metrics["b"], [np.full((2, 2), np.nan), POINTS[1]["b"]])


def test_many_log_points_are_read_fast(tmp_path):
    """500 log points of 64 members with 100 numbers each in a quarter of a second, five times the duration measured here."""
    rng = np.random.default_rng(0)
    write(tmp_path, [{f"m{i}": rng.normal(size=64).astype(np.float32) for i in range(100)}] * 500)
    started = time.process_time()
    assert read(tmp_path)["m99"].shape == (500, 64)
    assert time.process_time() - started < 0.5
