"""Rows become arrays."""

import numpy as np

from influence_jax.analysis import load_metrics
from influence_jax.analysis.load import as_arrays
from tests.analysis.rows import ROWS


def test_rows_become_arrays():
    arrays = as_arrays(ROWS)
    assert arrays["update"].tolist() == [[10, 10], [20, 20]]
    np.testing.assert_array_equal(arrays["collective_return"], [[np.nan, 2], [3, 4]])
    np.testing.assert_array_equal(arrays["agent_returns"], [[[np.nan, 1], [0.5, 1.5]], [[1, 2], [1, 3]]])
    assert as_arrays([]) == {}


def test_load_metrics_reads_lines(tmp_path):
    (tmp_path / "metrics.jsonl").write_text(
        '{"update": 10, "member": 0, "x": null}\n{"update": 20, "member": 0, "x": 1}\n'
    )
    np.testing.assert_array_equal(load_metrics(tmp_path)["x"], [[np.nan], [1]])
