"""Reading and drawing what a run wrote; no device is touched."""

from influence_jax.analysis.figures import plot_learning_curves
from influence_jax.analysis.load import load_metrics

__all__ = ["load_metrics", "plot_learning_curves"]
