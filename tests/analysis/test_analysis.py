import imageio.v3 as imageio
import numpy as np

from influence_jax.analysis import load_metrics, plot_learning_curves
from influence_jax.analysis.load import as_arrays

ROWS = [
    {"update": 10, "member": 0, "env_steps": 100, "collective_return": None, "agent_returns": [None, 1.0]},
    {"update": 10, "member": 1, "env_steps": 100, "collective_return": 2.0, "agent_returns": [0.5, 1.5]},
    {"update": 20, "member": 0, "env_steps": 200, "collective_return": 3.0, "agent_returns": [1.0, 2.0]},
    {"update": 20, "member": 1, "env_steps": 200, "collective_return": 4.0, "agent_returns": [1.0, 3.0]},
]


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


def test_learning_curves(tmp_path):
    metrics = as_arrays(ROWS) | {"cleans": np.zeros((2, 2)), "equality": np.full((2, 2), np.nan)}
    plot_learning_curves(metrics, tmp_path / "curves.png", "title")
    assert imageio.imread(tmp_path / "curves.png").std() > 0
