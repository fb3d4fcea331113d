"""Figures. Each docstring names the function that returns the same numbers as arrays.

All functions return a figure, to be shown by a notebook or saved (``figure.savefig("curves.png")``); with ``ax`` they draw into
your axis. Colours are distinguishable for the colour-blind, and line styles in grey.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from influence_jax.analysis.arguments import instance, level, text, whole
from influence_jax.analysis.comparison import Comparison, values_of
from influence_jax.analysis.cross_play import CrossPlay
from influence_jax.analysis.curves import learning_curve
from influence_jax.analysis.influence import EventLocked, influence_statistics, pairwise
from influence_jax.analysis.members import groups
from influence_jax.analysis.schelling import Schelling
from influence_jax.analysis.statistics import CONFIDENCE, percent
from influence_jax.settings import ConfigError, short_repr

PANELS = {
    "collective return": ["collective_return"],
    "equality": ["equality"],
    "events": ["apples", "fires", "cleans"],
    "entropy of the policy": ["entropy"],
    "influence of a mean agent on all others": ["influence"],
    "cross-entropy of the model of others": [
        "moa_cross_entropy",
        "moa_marginal_cross_entropy",
        "moa_policy_entropy",
    ],
}
UNITS = {
    "collective_return": "reward per episode",
    "equality": "1 - Gini",
    "apples": "per episode, all agents",
    "fires": "per episode, all agents",
    "cleans": "per episode, all agents",
    "entropy": "nats",
    "influence": "nats per step",
    "moa_cross_entropy": "nats",
    "moa_marginal_cross_entropy": "nats",
    "moa_policy_entropy": "nats",
}
STYLES = (
    {"color": "#0072b2", "linestyle": "-", "marker": "o"},
    {"color": "#d55e00", "linestyle": (0, (5, 1.5)), "marker": "s"},
    {"color": "#009e73", "linestyle": (0, (1, 1.2)), "marker": "^"},
    {"color": "#000000", "linestyle": "-.", "marker": "D"},
    {"color": "#cc79a7", "linestyle": (0, (3, 1, 1, 1, 1, 1)), "marker": "v"},
    {"color": "#e69f00", "linestyle": (0, (8, 2)), "marker": "P"},
    {"color": "#56b4e9", "linestyle": (0, (2, 2)), "marker": "X"},
)


class NotebookFigure(Figure):
    """A figure that a notebook displays, and that pyplot does not keep alive."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=100)
        return buffer.getvalue()


def plot_learning_curves(
    runs: Any,
    columns: Sequence[str] | None = None,
    *,
    by: str | Sequence[str] | None = None,
    window: int = 1,
    confidence: float = CONFIDENCE,
    each: bool | None = None,
    ax: Axes | None = None,
    title: str = "",
) -> Figure:
    """Draw metrics against environment steps.

    For one run, draw a thin line per member and a thick one for their mean; for several, means with Student's intervals.
    ``each`` overrides this. The numbers: `influence_jax.analysis.learning_curve`.

    Args:
        runs: a run, a sweep, a directory of one, metrics, or several in a sequence or by name; each trial of a sweep is drawn.
        columns: names of ``metrics`` to draw, except those that a run did not measure. By default the most common ones that are
            not 0 in all runs.
        by: one or more settings; members with equal values form a group.
        window: number of log points to smooth each member over.
        confidence: level of the intervals.
        each: draw each member and no interval.
        ax: an axis for the first of ``columns`` (by default the collective return).
        title: of the figure.

    Example:
        >>> figure = influence_jax.plot_learning_curves(runs, ["collective_return", "entropy"])
        >>> figure.savefig("curves.png")
    """
    columns = [columns] if isinstance(columns, str) else columns
    if columns is not None and not (
        isinstance(columns, list | tuple) and columns and all(isinstance(column, str) for column in columns)
    ):
        raise ConfigError(f"columns is {short_repr(columns)}; allowed: names of metrics.")
    if not (each is None or isinstance(each, bool)):
        raise ConfigError(f"each is {short_repr(each)}; allowed: True, False or None.")
    window, confidence = whole("window", window), level(confidence)
    named = groups(runs, by)
    band = len(named) > 1 if each is None else not each
    panels = _panels(named, columns, alone=len(named) == 1 and columns is None)
    if ax is not None:
        panels = dict([next(iter(panels.items()))])
    figure, axes = _axes(ax, len(panels), title)
    for axis, (label, shown) in zip(axes, panels.items(), strict=True):
        lines = [
            (column if len(shown) > 1 else name, metrics, column) for name, metrics in named.items() for column in shown
        ]
        for style, (line, metrics, column) in zip(_styles(), lines, strict=False):
            if _is_measured(metrics, column):
                curve = learning_curve(metrics["env_steps"][:, 0], values_of(metrics, column), window, confidence)
                _draw_curve(axis, curve, line, style, band)
        axis.set_title(label, fontsize="medium")
        _label_steps(axis, UNITS.get(shown[0], shown[0]))
        if len(shown) > 1 or band or (len(named) > 1 and axis is axes[0]):
            _legend(axis, confidence if band else None)
    return figure


def plot_influence(
    runs: Any, *, by: str | Sequence[str] | None = None, ax: Axes | None = None, title: str = ""
) -> Figure:
    """Draw an average agent's influence on all others during training, and its share of the entropy, which bounds it.

    An average agent's influence on one other is at most its entropy, so the same influence may be all that is possible or next
    to nothing. With ``ax``, only influence is drawn. The numbers: ``metrics["influence"]`` and ``metrics["entropy"]``,
    `influence_jax.analysis.learning_curve`.

    Example:
        >>> influence_jax.plot_influence(runs).savefig("influence.png")
    """
    named = groups(runs, by)
    if not any(_is_measured(metrics, "influence") for metrics in named.values()):
        raise ConfigError("runs measured no influence; allowed: runs with an influence model and a measure.")
    figure, axes = _axes(ax, 2 if ax is None else 1, title)
    named = {name: metrics for name, metrics in named.items() if _is_measured(metrics, "influence")}
    influence = {name: values_of(metrics, "influence") for name, metrics in named.items()}
    shares = {}
    for name, metrics in named.items():
        entropy = values_of(metrics, "entropy")
        shares[name] = influence[name] / np.where(entropy > 0, entropy, np.nan)
    drawn = {"influence (nats per step)": influence, "influence / entropy of the policy": shares}
    for axis, (label, values) in zip(axes, drawn.items(), strict=False):
        for style, (name, metrics) in zip(_styles(), named.items(), strict=False):
            _draw_curve(axis, learning_curve(metrics["env_steps"][:, 0], values[name]), name, style, band=False)
        # Logarithmic down to the smallest positive value; zeros, such as a baseline's, are drawn at the bottom.
        every = np.concatenate([np.ravel(x) for x in values.values()])
        positive = every[np.isfinite(every) & (every > 0)]
        if positive.size:
            axis.set_yscale("symlog", linthresh=float(positive.min()))
            axis.set_ylim(bottom=0)
        _label_steps(axis, label)
    if len(named) > 1:
        axes[0].legend(fontsize="small")
    return figure


def plot_influence_in_time(trace: Any, *, ax: Axes | None = None, title: str = "") -> Figure:
    """Draw each agent's influence on all others through an episode, with its mean, and the mean influence of each pair.

    ``trace`` is a trace or an array ``influence f[T,K,J]``. With ``ax``, all agents share one axis. The numbers:
    `influence_jax.analysis.influence_statistics`.

    Example:
        >>> influence_jax.plot_influence_in_time(trace).savefig("episode.png")
    """
    influence = getattr(trace, "influence", trace)
    if influence is None:
        raise ConfigError("trace has no influence; allowed: one of agents with an influence model.")
    try:
        influence = pairwise(influence, "[T,K,J]")
    except ConfigError as error:
        raise ConfigError(f"trace is {short_repr(trace)}; {error}") from None
    statistics, agents = influence_statistics(influence), range(influence.shape[1])
    if ax is None:
        figure = NotebookFigure(figsize=(10, max(3.3, 1.1 * len(agents))), layout="constrained")
        figure.suptitle(text("title", title))
        ((courses, pairs),) = figure.subfigures(1, 2, squeeze=False, width_ratios=(3, 2))
        axes = courses.subplots(len(agents), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        courses.supylabel("influence on all others (nats)", fontsize="medium")
        _draw_pairs(pairs.subplots(), statistics.pairs)
    else:
        figure, (axis,) = _axes(ax, 1, title)
        axes = [axis] * len(agents)
        ax.set(ylabel="influence on all others (nats)")
    for agent, axis, style in zip(agents, axes, _styles(), strict=False):
        line: dict[str, Any] = {"color": style["color"], "linestyle": style["linestyle"] if ax is not None else "-"}
        axis.plot(influence[:, agent].sum(axis=-1), linewidth=0.9, label=f"agent {agent}", **line)
        axis.axhline(statistics.mean[agent], linewidth=0.7, color="black", linestyle=":", label="_mean")
        if ax is None:
            axis.set_ylabel(f"agent {agent}", fontsize="small")
    axes[-1].set_xlabel("step of the episode (dotted: mean)")
    if ax is not None:
        ax.legend(fontsize="small")
    return figure


def plot_event_locked(locked: EventLocked, event: str = "event", *, ax: Axes | None = None, title: str = "") -> Figure:
    """Draw the course of a quantity around events, next to that around steps shifted in time (Fig. 13).

    The numbers: `influence_jax.analysis.event_locked`.

    Example:
        >>> around = analysis.event_locked(trace.influence[:, 0, 1], trace.actions[:, 0] == 3)
        >>> influence_jax.plot_event_locked(around, "opening").savefig("opening.png")
    """
    locked, event = instance("locked", locked, EventLocked, "event_locked"), text("event", event)
    figure, (axis,) = _axes(ax, 1, title)
    axis.plot(locked.offsets, locked.mean, color="#0072b2", marker="o", markersize=3, label=f"mean of {locked.events}")
    axis.plot(locked.offsets, locked.null_mean, color="grey", linestyle="--", label="shifted in time")
    share = f"{percent(locked.confidence)} of that"
    axis.fill_between(locked.offsets, locked.null_low, locked.null_high, color="grey", alpha=0.25, label=share)
    axis.set(xlabel=f"steps since the {event}", ylabel="influence (nats)")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend(fontsize="small")
    return figure


def plot_schelling(schelling: Schelling, *, ax: Axes | None = None, title: str = "") -> Figure:
    """Draw a Schelling diagram with Student's intervals (Fig. 10).

    The numbers: `influence_jax.analysis.schelling_diagram`, its ``rows()`` and ``table()``.

    Example:
        >>> diagram = analysis.schelling_diagram([[0, 0], [5, -1], [4, 4]], [[0, 0], [0, 1], [1, 1]])
        >>> influence_jax.plot_schelling(diagram).savefig("schelling.png")
    """
    schelling = instance("schelling", schelling, Schelling, "schelling_diagram")
    figure, (axis,) = _axes(ax, 1, title)
    roles = {"defector": schelling.defector, "cooperator": schelling.cooperator}
    for style, (role, estimate) in zip(_styles(), roles.items(), strict=False):
        axis.plot(schelling.others, estimate.value, label=role, **style)
        axis.fill_between(schelling.others, estimate.low, estimate.high, color=style["color"], alpha=0.2, linewidth=0)
    axis.set(xlabel="number of other cooperators", ylabel="individual return (per episode)")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend(axis, schelling.cooperator.confidence)
    return figure


def plot_comparison(comparison: Comparison, *, ax: Axes | None = None, title: str = "") -> Figure:
    """Draw the curves of `influence_jax.compare` with intervals, and each member's score next to the mean of its group.

    With ``ax``, only scores are drawn. The numbers: ``comparison.curve_table()``, ``.scores`` and ``.table()``.

    Example:
        >>> influence_jax.plot_comparison(influence_jax.compare(runs)).savefig("comparison.png")
    """
    comparison = instance("comparison", comparison, Comparison, "compare")
    figure, axes = _axes(ax, 2 if ax is None else 1, title)
    if ax is None:
        for style, (name, curve) in zip(_styles(), comparison.curves.items(), strict=False):
            _draw_curve(axes[0], curve, name, style, band=True)
        axes[0].set_title(comparison.column.replace("_", " "), fontsize="medium")
        _label_steps(axes[0], UNITS.get(comparison.column, comparison.column))
        _legend(axes[0], comparison.confidence)
    axis = axes[-1]
    for place, (style, row, score) in enumerate(
        zip(_styles(), comparison.rows, comparison.scores.values(), strict=False)
    ):
        spread = place + np.linspace(-0.12, 0.12, len(score)) if len(score) > 1 else [place]
        axis.plot(score, spread, style["marker"], color=style["color"], alpha=0.45, markersize=4, zorder=1)
        low, high = (abs(row["mean"] - row[end]) for end in ("low", "high"))
        axis.errorbar(
            row["mean"],
            place,
            xerr=[[low], [high]],
            color=style["color"],
            fmt="|",
            markersize=14,
            capsize=4,
            linewidth=1.6,
        )
    names = [row["group"] + (f"\np = {row['p']:.2g}" if np.isfinite(row["p"]) else "") for row in comparison.rows]
    axis.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    interval = f"{percent(comparison.confidence)} interval"
    axis.set(xlabel=f"{comparison.column.replace('_', ' ')}, {comparison.summary} ({interval})")
    return figure


def plot_cross_play(cross_play: CrossPlay, *, ax: Axes | None = None, title: str = "") -> Figure:
    """Draw the mean return of one agent of each row among agents of each column, with its interval.

    The numbers: ``cross_play.means``, ``.rows()`` and ``.table()``.

    Example:
        >>> returns = np.random.default_rng(0).normal([[[[9]], [[4]]], [[[12]], [[6]]]], 1, (2, 2, 1, 20))
        >>> matrix = analysis.CrossPlay(("paid", "alone"), returns, returns.swapaxes(0, 1))
        >>> influence_jax.plot_cross_play(matrix).savefig("cross_play.png")
    """
    means = instance("cross_play", cross_play, CrossPlay, "cross_play").means
    figure, (axis,) = _axes(ax, 1, title)
    places = range(len(cross_play.names))
    if ax is None:
        figure.set_size_inches(3.4 + 1.1 * len(places), 2.2 + 0.6 * len(places))
    image = axis.imshow(means.value, cmap="Greys", aspect="auto")
    middle = np.mean(image.get_clim())
    for place, value in np.ndenumerate(means.value):
        interval = f"{value:.3g}\n[{means.low[place]:.3g}, {means.high[place]:.3g}]"
        color = "white" if value > middle else "black"
        axis.text(*place[::-1], interval, ha="center", va="center", fontsize="small", color=color)
    axis.set(ylabel="one agent", xlabel=f"among agents ({percent(means.confidence)} intervals over {cross_play.unit})")
    axis.set_xticks(places, cross_play.names, rotation=30, ha="right")
    axis.set_yticks(places, cross_play.names)
    axis.figure.colorbar(image, ax=axis, label="return per episode")
    return figure


def _panels(named: Mapping[str, Any], columns: Sequence[str] | None, alone: bool) -> dict[str, list[str]]:
    """Return the columns of each panel by its title; with several groups, one column per panel."""
    if columns is not None:
        known = sorted({name for metrics in named.values() for name in metrics})
        for column in columns:
            if column not in known:
                values_of(next(iter(named.values())), column, "columns")  # raises an error that lists the columns
        return {column.replace("_", " "): [column] for column in columns}
    panels = {
        name: [column for column in wanted if any(_is_of_interest(metrics, column) for metrics in named.values())]
        for name, wanted in PANELS.items()
    }
    if not any(panels.values()):
        known = [column for wanted in PANELS.values() for column in wanted]
        raise ConfigError(f"runs has measured none of {', '.join(known)}; name others in columns.")
    if alone:
        return {name: wanted for name, wanted in panels.items() if wanted}
    return {
        name if len(PANELS[name]) == 1 else column.replace("_", " "): [column]
        for name, wanted in panels.items()
        for column in wanted
    }


def _is_measured(metrics: Mapping[str, np.ndarray], column: str) -> bool:
    """Return whether any member has a number, even 0."""
    return column in metrics and bool(np.isfinite(metrics[column].astype(float)).any())


def _is_of_interest(metrics: Mapping[str, np.ndarray], column: str) -> bool:
    """Return whether a metric is drawn by default: whether it is not 0 throughout, as shots are in a game without beams."""
    measured = _is_measured(metrics, column)
    return measured and (column == "collective_return" or bool(np.nan_to_num(metrics[column]).any()))


def _legend(axis: Axes, confidence: float | None) -> None:
    """Add a legend for lines and bands."""
    interval = None if confidence is None else f"mean, {percent(confidence)} interval"
    if axis.get_legend_handles_labels()[0]:  # there may be nothing to label, such as before the first episode ended
        axis.legend(fontsize="small", title=interval, title_fontsize="small")


def _axes(ax: Axes | None, panels: int, title: str) -> tuple[Any, list[Axes]]:
    text("title", title)
    if ax is not None:
        if not isinstance(ax, Axes):
            raise ConfigError(f"ax is {short_repr(ax)}; allowed: an axis of matplotlib.")
        if title:
            ax.set_title(title)
        return ax.figure, [ax]
    columns = min(3, panels)
    rows = -(-panels // columns)
    figure = NotebookFigure(figsize=(max(5.2, 4.2 * columns), 3.3 * rows), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for axis in axes[panels:]:
        axis.remove()
    figure.suptitle(title)
    return figure, axes[:panels]


def _styles() -> Iterator[dict[str, Any]]:
    """Yield the styles in a cycle."""
    while True:
        yield from STYLES


def _draw_curve(axis: Axes, curve: Any, label: str, style: Mapping[str, Any], band: bool) -> None:
    color, dashes = style["color"], style["linestyle"]
    measured = np.isfinite(curve.value)
    steps = curve.env_steps[measured]
    if band:
        axis.fill_between(steps, curve.low[measured], curve.high[measured], color=color, alpha=0.18, linewidth=0)
    elif curve.members.shape[1] > 1:
        axis.plot(curve.env_steps, curve.members, color=color, linewidth=0.6, alpha=0.4)
    axis.plot(steps, curve.value[measured], color=color, linestyle=dashes, label=label)


def _label_steps(axis: Axes, ylabel: str) -> None:
    axis.set(xlabel="environment steps", ylabel=ylabel)
    axis.xaxis.set_major_formatter(EngFormatter(sep=""))


def _draw_pairs(axis: Axes, pairs: np.ndarray) -> None:
    others = np.where(np.eye(len(pairs), dtype=bool), np.nan, pairs)
    image = axis.imshow(others, cmap="Greys", vmin=0, vmax=np.nanmax(others, initial=0.0) or 1.0)
    for (k, j), value in np.ndenumerate(others):
        if k != j:
            dark = value > 0.6 * image.get_clim()[1]
            axis.text(
                j, k, f"{value:.2g}", ha="center", va="center", fontsize="small", color="white" if dark else "black"
            )
    axis.set(xlabel="influenced agent", ylabel="influencing agent", xticks=range(len(pairs)), yticks=range(len(pairs)))
    axis.figure.colorbar(image, ax=axis, label="mean influence (nats per step)")
