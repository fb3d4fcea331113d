"""Learning curves are drawn, whatever is missing."""

import imageio.v3 as imageio
import numpy as np

from influence_jax.analysis import plot_learning_curves
from tests.analysis.rows import METRICS


def test_learning_curves(tmp_path):
    metrics = METRICS | {"cleans": np.zeros((2, 2)), "equality": np.full((2, 2), np.nan)}
    plot_learning_curves(metrics, tmp_path / "curves.png", "title")
    assert imageio.imread(tmp_path / "curves.png").std() > 0
