"""Pictures of what a run recorded."""

import pathlib

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

PANELS = {
    "collective return": ["collective_return"],
    "equality": ["equality"],
    "events per episode": ["apples", "fires", "cleans"],
    "entropy of the policy (nats)": ["entropy"],
    "influence (nats per step)": ["influence"],
    "cross-entropy of the model of others (nats)": [
        "moa_cross_entropy",
        "moa_marginal_cross_entropy",
        "moa_repeat_cross_entropy",
    ],
}


def plot_learning_curves(metrics: dict[str, np.ndarray], path: str | pathlib.Path, title: str = "") -> None:
    """Draw one panel per quantity against environment steps: a thin line per member, a thick one for their mean.

    ``metrics`` is what `load_metrics` returns; quantities that a run did not measure are left out.
    """
    panels = {name: [c for c in columns if _is_there(metrics, c)] for name, columns in PANELS.items()}
    panels = {name: columns for name, columns in panels.items() if columns}
    rows = -(-len(panels) // 3)
    figure = Figure(figsize=(12, 3.2 * rows), layout="constrained")
    axes = figure.subplots(rows, 3, squeeze=False).ravel()
    steps = metrics["env_steps"][:, 0]
    for axis, (name, columns) in zip(axes, panels.items(), strict=False):
        for color, column in enumerate(columns):
            values = metrics[column]
            axis.plot(steps, values, color=f"C{color}", linewidth=0.6, alpha=0.4)
            measured = np.isfinite(values).any(axis=1)
            axis.plot(steps[measured], np.nanmean(values[measured], axis=1), color=f"C{color}", label=column)
        axis.set_title(name, fontsize="medium")
        axis.set_xlabel("environment steps")
        axis.xaxis.set_major_formatter(EngFormatter(sep=""))
        if len(columns) > 1:
            axis.legend(fontsize="small")
    for axis in axes[len(panels) :]:
        axis.remove()
    figure.suptitle(title)
    figure.savefig(path, dpi=100)


def _is_there(metrics: dict[str, np.ndarray], column: str) -> bool:
    return column in metrics and bool(np.any(np.nan_to_num(metrics[column].astype(float))))
