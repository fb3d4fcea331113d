"""Figures. Each docstring names the function that returns the same numbers as arrays.

All functions return a figure, to be shown by a notebook or saved (``figure.savefig("curves.pdf")``). A panel is as wide as a
column of a paper, 3.4 inches, and two are as wide as its page. Colours are distinguishable for the colour-blind, and line styles
in grey. With ``ax`` they draw into your axis, in your style; a legend is placed below it, for which a figure with
``layout="constrained"`` makes room.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import EngFormatter, MaxNLocator

from influence_jax.analysis.arguments import instance, level, text, whole
from influence_jax.analysis.comparison import Comparison, values_of
from influence_jax.analysis.cross_play import CrossPlay
from influence_jax.analysis.curves import Curve, learning_curve
from influence_jax.analysis.influence import EventLocked, influence_statistics, pairwise
from influence_jax.analysis.members import groups
from influence_jax.analysis.schelling import Schelling
from influence_jax.analysis.statistics import CONFIDENCE, Estimate, percent
from influence_jax.analysis.style import (
    COLUMN,
    HEIGHT,
    LINES,
    legend_below,
    limits,
    lines,
    new_axes,
    new_figure,
    scale_of,
    styled,
    wrapped,
)
from influence_jax.settings import ConfigError, counted, short_repr

Range = tuple[float, float]
ANYTHING: Range = (-np.inf, np.inf)
GREY = "0.4"
MOST_NUMBERS = 12  # agents, up to which the influence of each pair is written
ENOUGH = 8  # seeds; of fewer, each is drawn, for Student's intervals would be wider than a figure
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
    "influence": "per step",  # in nats, or in the unit of the measure, which metrics do not name
    "moa_cross_entropy": "nats",
    "moa_marginal_cross_entropy": "nats",
    "moa_policy_entropy": "nats",
}
POSSIBLE = {"equality": (0.0, 1.0)} | {
    metric: (0.0, np.inf) for metric in UNITS if metric not in ("collective_return", "equality")
}  # what a value can be


@styled
def plot_learning_curves(
    runs: Any,
    metrics: Sequence[str] | None = None,
    *,
    by: str | Sequence[str] | None = None,
    window: int = 1,
    confidence: float = CONFIDENCE,
    each: bool | None = None,
    ax: Axes | None = None,
    title: str = "",
) -> Figure:
    """Draw metrics against environment steps.

    With fewer than eight seeds, each is drawn as a thin line, and their mean as a thick one. With eight or more, the mean is
    drawn with Student's interval. ``each`` overrides this. The numbers: `influence_jax.analysis.learning_curve`.

    Args:
        runs: a run, a sweep, a directory of one, metrics, or several in a sequence or by name; each trial of a sweep is drawn.
        metrics: names of metrics to draw, except those that a run did not measure. By default the most common ones that are not 0
            in all runs.
        by: one or more settings; members with equal values form a group.
        window: number of log points to smooth each member over.
        confidence: level of the intervals.
        each: draw each member and no interval, or the interval and no member.
        ax: an axis for the first of ``metrics`` (by default the collective return).
        title: of the figure.

    Example:
        >>> figure = influence_jax.plot_learning_curves(runs, ["collective_return", "entropy"])
        >>> figure.savefig("curves.png")
    """
    metrics = [metrics] if isinstance(metrics, str) else metrics
    if metrics is not None and not (
        isinstance(metrics, list | tuple) and metrics and all(isinstance(metric, str) for metric in metrics)
    ):
        raise ConfigError(f"metrics is {short_repr(metrics)}; allowed: names of metrics.")
    if not (each is None or isinstance(each, bool)):
        raise ConfigError(f"each is {short_repr(each)}; allowed: True, False or None.")
    window, confidence = whole("window", window), level(confidence)
    named = groups(runs, by)
    panels = _panels(named, metrics, alone=len(named) == 1 and metrics is None)
    if ax is not None:
        panels = dict([next(iter(panels.items()))])
    figure, axes = new_axes(ax, len(panels), title)
    for axis in axes[1:]:
        axis.sharex(axes[0])  # no return is known before the first episode has ended
    drawn: dict[str, Artist] = {}
    keys: dict[str, Artist] = {}
    for axis, (label, shown) in zip(axes, panels.items(), strict=True):
        curves = {
            metric.replace("_", " ") if len(shown) > 1 else name: _measured_curve(measured, metric, window, confidence)
            for name, measured in named.items()
            for metric in shown
        }
        keys |= _draw_curves(axis, curves, POSSIBLE.get(shown[0], ANYTHING), each)
        axis.set_title(label)
        _label_steps(axis, UNITS.get(shown[0], shown[0]))
        if len(shown) > 1:
            legend_below(axis, _labelled(axis))
        elif len(named) > 1:
            drawn |= {str(line.get_label()): line for line in _labelled(axis)}
    legend_below(ax or figure, [*drawn.values(), *keys.values()])
    return figure


@styled
def plot_influence(
    runs: Any, *, by: str | Sequence[str] | None = None, ax: Axes | None = None, title: str = ""
) -> Figure:
    """Draw an average agent's influence on all others during training, and its share of the entropy, which bounds it.

    By the measure `kl`, an average agent's influence on one other is at most the entropy of its actions, or of its messages if it
    talks, so the same influence may be all that is possible or next to nothing. With ``ax``, only influence is drawn. The
    numbers: ``metrics["influence"]``, ``metrics["entropy"]`` and ``metrics["message_entropy"]``,
    `influence_jax.analysis.learning_curve`.

    Example:
        >>> influence_jax.plot_influence(runs).savefig("influence.png")
    """
    named = groups(runs, by)
    if not any(_is_measured(metrics, "influence") for metrics in named.values()):
        raise ConfigError("runs measured no influence; allowed: runs with an influence model and a measure.")
    figure, axes = new_axes(ax, 2 if ax is None else 1, title)
    named = {name: metrics for name, metrics in named.items() if _is_measured(metrics, "influence")}
    influence = {name: values_of(metrics, "influence") for name, metrics in named.items()}
    shares = {}
    for name, metrics in named.items():
        entropy = values_of(metrics, "message_entropy" if _is_measured(metrics, "message_entropy") else "entropy")
        shares[name] = influence[name] / np.where(entropy > 0, entropy, np.nan)
    keys: dict[str, Artist] = {}
    drawn = {"influence per step": influence, "influence / entropy": shares}
    for axis, (label, values) in zip(axes, drawn.items(), strict=False):
        curves = {name: learning_curve(named[name]["env_steps"][:, 0], x) for name, x in values.items()}
        keys |= _draw_curves(axis, curves, POSSIBLE["influence"])
        _logarithmic(axis, list(values.values()))
        _label_steps(axis, label)
    groups_drawn = _labelled(axes[0]) if len(named) > 1 else []
    legend_below(ax or figure, [*groups_drawn, *keys.values()])
    return figure


@styled
def plot_influence_in_time(trace: Any, *, ax: Axes | None = None, title: str = "") -> Figure:
    """Draw each agent's influence on all others through an episode, with its mean, and the mean influence of each pair.

    ``trace`` is a trace or an array ``influence f[T,K,J]`` in nats. With ``ax``, all agents share one axis. The numbers:
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
    statistics, courses = influence_statistics(influence), influence.sum(axis=-1)
    scale, power = scale_of(courses)
    unit = str(getattr(trace, "measure", "")).rpartition(", ")[2] or "nats"
    label, agents = f"influence on all others ({power}{unit})", range(influence.shape[1])
    if ax is None:
        figure = new_figure(2 * COLUMN, max(HEIGHT, 0.4 + 0.5 * len(agents)), title)
        ((left, right),) = figure.subfigures(1, 2, squeeze=False, width_ratios=(1.2, 1))
        axes = list(left.subplots(len(agents), 1, sharex=True, sharey=True, squeeze=False)[:, 0])
        left.supylabel(label, fontsize="medium")
        _draw_pairs(right.subplots(), statistics.pairs, unit)
    else:
        figure, (axis,) = new_axes(ax, 1, title)
        axes = [axis] * len(agents)
        ax.set(ylabel=label)
    for agent, axis, style in zip(agents, axes, lines(), strict=False):
        look = LINES[0] | {"linestyle": "-"} if ax is None else style
        line: dict[str, Any] = {name: look[name] for name in ("color", "linestyle")}
        axis.plot(courses[:, agent] / scale, linewidth=0.8, label=f"agent {agent}", **line)
        axis.axhline(statistics.mean[agent] / scale, linewidth=0.7, color="black", linestyle=":", label="_mean")
        if ax is None:
            axis.set_ylabel(f"agent {agent}", rotation="horizontal", ha="right", va="center")
    axes[-1].set_xlabel("step of the episode (dotted: mean)")
    if ax is not None:
        legend_below(ax, _labelled(ax))
    return figure


@styled
def plot_event_locked(
    locked: EventLocked, event: str = "event", quantity: str = "mean value", *, ax: Axes | None = None, title: str = ""
) -> Figure:
    """Draw the course of a quantity around events, next to that around steps shifted in time (Fig. 13).

    ``event`` and ``quantity``, with its unit, name the axes. The numbers: `influence_jax.analysis.event_locked`.

    Example:
        >>> around = analysis.event_locked(trace.influence[:, 0, 1], trace.actions[:, 0] == 3)
        >>> influence_jax.plot_event_locked(around, "opening", "influence (nats)").savefig("opening.png")
    """
    locked, event = instance("locked", locked, EventLocked, "event_locked"), text("event", event)
    figure, (axis,) = new_axes(ax, 1, title)
    shifted = f"{percent(locked.confidence)} of such shifts"
    band = axis.fill_between(
        locked.offsets, locked.null_low, locked.null_high, color="0.85", linewidth=0, label=shifted
    )
    (null,) = axis.plot(locked.offsets, locked.null_mean, color="0.4", linestyle="--", label="shifted in time, mean")
    events = f"mean of {counted(locked.events, 'event')}"
    (mean,) = axis.plot(locked.offsets, locked.mean, color=LINES[0]["color"], marker="o", label=events)
    axis.set(xlabel=f"steps since the {event}", ylabel=text("quantity", quantity))
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_below(ax or figure, [mean, null, band])
    return figure


@styled
def plot_schelling(schelling: Schelling, *, ax: Axes | None = None, title: str = "") -> Figure:
    """Draw a Schelling diagram with Student's intervals (Fig. 10).

    The numbers: `influence_jax.analysis.schelling_diagram`, its ``rows()`` and ``table()``.

    Example:
        >>> diagram = analysis.schelling_diagram([[0, 0], [5, -1], [4, 4]], [[0, 0], [0, 1], [1, 1]])
        >>> influence_jax.plot_schelling(diagram).savefig("schelling.png")
    """
    schelling = instance("schelling", schelling, Schelling, "schelling_diagram")
    figure, (axis,) = new_axes(ax, 1, title)
    roles = {"defector": schelling.defector, "cooperator": schelling.cooperator}
    shown = []
    for style, (role, estimate) in zip(lines(), roles.items(), strict=False):
        axis.plot(schelling.others, estimate.value, label=role, **style)
        axis.fill_between(schelling.others, estimate.low, estimate.high, color=style["color"], alpha=0.25, linewidth=0)
        shown.append(estimate)
    axis.set(xlabel="number of other cooperators", ylabel="individual return per episode")
    axis.set_ylim(_limits_around([x.value for x in shown], shown))
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_below(ax or figure, [*_labelled(axis), _interval(schelling.cooperator.confidence)])
    return figure


@styled
def plot_comparison(comparison: Comparison, *, ax: Axes | None = None, title: str = "") -> Figure:
    """Draw the curves of `influence_jax.compare`, and each member's score next to the mean of its group with its interval.

    The axis of scores ends near them: where an interval reaches further, its bar has no end. With ``ax``, only scores are
    drawn. The numbers: ``comparison.curve_table()``, ``.scores`` and ``.table()``.

    Example:
        >>> influence_jax.plot_comparison(influence_jax.compare(runs)).savefig("comparison.png")
    """
    comparison = instance("comparison", comparison, Comparison, "compare")
    possible = POSSIBLE.get(comparison.metric, ANYTHING)
    names = [
        wrapped(row["group"], 1.6, "ytick.labelsize") + (f"\np = {row['p']:.2g}" if np.isfinite(row["p"]) else "")
        for row in comparison.rows
    ]
    unit, words = UNITS.get(comparison.metric, ""), comparison.metric.replace("_", " ")
    if ax is None:
        most = max(1 + name.count("\n") for name in names)  # lines of text, an eighth of an inch each
        figure = new_figure(2 * COLUMN, max(HEIGHT, 0.9 + len(names) * (0.05 + most / 8)), title)
        course, axis = figure.subplots(1, 2)
        keys = _draw_curves(course, comparison.curves, possible, marked=True)
        course.set_title(words)
        _label_steps(course, unit or words)
        legend_below(figure, list(keys.values()))
    else:
        figure, (axis,) = new_axes(ax, 1, title)
    for place, (style, row, score) in enumerate(
        zip(lines(), comparison.rows, comparison.scores.values(), strict=False)
    ):
        _draw_scores(axis, place, score, row, style, possible)
    axis.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    intervals = [Estimate(row["mean"], row["low"], row["high"]) for row in comparison.rows]
    axis.set_xlim(_limits_around(list(comparison.scores.values()), intervals, possible))
    said = f"each seed, and mean with {percent(comparison.confidence)} interval"
    axis.set_xlabel(f"{words}, {comparison.summary}{f' ({unit})' if unit else ''}\n{said}")
    return figure


@styled
def plot_cross_play(cross_play: CrossPlay, *, ax: Axes | None = None, title: str = "") -> Figure:
    """Draw the mean return of one agent of each row among agents of each column, with its interval.

    The numbers: ``cross_play.means``, ``.rows()`` and ``.table()``.

    Example:
        >>> returns = np.random.default_rng(0).normal([[[[9]], [[4]]], [[[12]], [[6]]]], 1, (2, 2, 1, 20))
        >>> matrix = analysis.CrossPlay(("paid", "alone"), returns, returns.swapaxes(0, 1))
        >>> influence_jax.plot_cross_play(matrix).savefig("cross_play.png")
    """
    means = instance("cross_play", cross_play, CrossPlay, "cross_play").means
    figure, (axis,) = new_axes(ax, 1, title)
    places = range(len(cross_play.names))
    if ax is None:
        figure.set_size_inches(2.0 + 0.9 * len(places), 1.2 + 0.45 * len(places))
    image = axis.imshow(means.value, cmap="Greys", aspect="auto")
    middle = np.mean(image.get_clim())
    for (row, column), value in np.ndenumerate(means.value):
        interval = f"{value:.3g}\n[{means.low[row, column]:.3g}, {means.high[row, column]:.3g}]"
        color = "white" if value > middle else "black"
        axis.text(column, row, interval, ha="center", va="center", fontsize=6, color=color)
    said = f"{percent(means.confidence)} intervals over {cross_play.unit}"
    axis.set(ylabel="one agent", xlabel=f"among agents\n({said})")
    names = [wrapped(name, 1.2, "ytick.labelsize") for name in cross_play.names]
    axis.set_xticks(places, names, rotation=30, ha="right")
    axis.set_yticks(places, names)
    axis.figure.colorbar(image, ax=axis, label="return per episode")
    return figure


def _draw_scores(
    axis: Axes, place: int, score: np.ndarray, row: Mapping[str, Any], style: Mapping[str, Any], possible: Range
) -> None:
    """Draw a group's scores beside each other, and their mean with its interval."""
    spread = place + np.linspace(-0.15, 0.15, len(score)) if len(score) > 1 else [place]
    axis.plot(score, spread, style["marker"], color=style["color"], alpha=0.5, markersize=4, zorder=1)
    low, high = np.clip([row["low"], row["high"]], *possible)
    ends = [[row["mean"] - low], [high - row["mean"]]]
    axis.errorbar(row["mean"], place, xerr=np.abs(ends), color=style["color"], fmt="|", markersize=12, capsize=3)


def _panels(named: Mapping[str, Any], metrics: Sequence[str] | None, alone: bool) -> dict[str, list[str]]:
    """Return the metrics of each panel by its title; with several groups, one metric per panel."""
    if metrics is not None:
        known = sorted({name for measured in named.values() for name in measured})
        for metric in metrics:
            if metric not in known:
                values_of(next(iter(named.values())), metric, "metrics")  # raises an error that lists them
        return {metric.replace("_", " "): [metric] for metric in metrics}
    panels = {
        name: [metric for metric in wanted if any(_is_of_interest(measured, metric) for measured in named.values())]
        for name, wanted in PANELS.items()
    }
    if not any(panels.values()):
        known = [metric for wanted in PANELS.values() for metric in wanted]
        raise ConfigError(f"runs has measured none of {', '.join(known)}; name others in metrics.")
    if alone:
        return {name: wanted for name, wanted in panels.items() if wanted}
    return {
        name if len(PANELS[name]) == 1 else metric.replace("_", " "): [metric]
        for name, wanted in panels.items()
        for metric in wanted
    }


def _is_measured(metrics: Mapping[str, np.ndarray], metric: str) -> bool:
    """Return whether any member has a number, even 0."""
    return metric in metrics and bool(np.isfinite(metrics[metric].astype(float)).any())


def _is_of_interest(metrics: Mapping[str, np.ndarray], metric: str) -> bool:
    """Return whether a metric is drawn by default: whether it is not 0 throughout, as shots are in a game without beams."""
    measured = _is_measured(metrics, metric)
    return measured and (metric == "collective_return" or bool(np.nan_to_num(metrics[metric]).any()))


def _measured_curve(metrics: Mapping[str, np.ndarray], metric: str, window: int, confidence: float) -> Curve | None:
    if not _is_measured(metrics, metric):
        return None
    return learning_curve(metrics["env_steps"][:, 0], values_of(metrics, metric), window, confidence)


def _draw_curves(
    axis: Axes,
    curves: Mapping[str, Curve | None],
    possible: Range,
    each: bool | None = None,
    *,
    marked: bool = False,
) -> dict[str, Artist]:
    """Draw curves by label, between limits that suit them; return keys, by label, to what is drawn beside their means."""
    shown: list[Any] = []
    keys: dict[str, Artist] = {}
    for style, (label, curve) in zip(lines(), curves.items(), strict=False):
        if curve is None:
            continue
        color, measured = style["color"], np.isfinite(curve.value)
        steps, mean = curve.env_steps[measured], curve.value[measured]
        mark = {"marker": style["marker"], "markevery": 0.2} if marked or len(steps) == 1 else {}
        axis.plot(steps, mean, color=color, linestyle=style["linestyle"], label=label, **mark)
        seeds = int(np.isfinite(curve.members).any(axis=0).sum())
        shown.append(mean)
        if seeds < 2:
            continue
        if seeds < ENOUGH if each is None else each:
            axis.plot(curve.env_steps, curve.members, color=color, linewidth=0.5, alpha=0.5)
            keys["each seed"] = Line2D([], [], color=GREY, linewidth=0.5, label="each seed (thick: mean)")
            shown.append(curve.members)
        else:
            low, high = (np.clip(end[measured], *possible) for end in (curve.low, curve.high))
            axis.fill_between(steps, low, high, color=color, alpha=0.2, linewidth=0)
            keys["interval"] = _interval(curve.confidence)
            ends = np.nanmin(curve.members), np.nanmax(curve.members)
            shown += [np.clip(low, *ends), np.clip(high, *ends)]
    if shown and (found := limits(shown, possible)):
        axis.set_ylim(found)
    return keys


def _interval(confidence: float) -> Patch:
    """Return the key to a band."""
    return Patch(color=GREY, alpha=0.3, linewidth=0, label=f"{percent(confidence)} interval of the mean")


def _limits_around(values: Sequence[Any], intervals: Sequence[Estimate], possible: Range = ANYTHING) -> Range | None:
    """Return limits that show ``values``, and of ``intervals`` what is as near to them as they are to one another."""
    found = limits(values)
    if found is None:
        return None
    low, high = found
    near = low - (high - low), high + (high - low)
    ends = [np.clip(end, *near).clip(*possible) for interval in intervals for end in (interval.low, interval.high)]
    return limits([*values, *ends], possible)


def _labelled(axis: Axes) -> list[Artist]:
    return [line for line in axis.lines if not str(line.get_label()).startswith("_")]


def _logarithmic(axis: Axes, values: Sequence[np.ndarray]) -> None:
    """Scale an axis logarithmically; if there are zeros, such as a baseline's, down to the smallest positive value and 0."""
    every = np.concatenate([np.ravel(x) for x in values])
    every = every[np.isfinite(every)]
    positive = every[every > 0]
    if not positive.size:
        return
    if every.min() > 0:
        axis.set_yscale("log")
        axis.set_ylim(positive.min() / 1.3, positive.max() * 1.3)
    else:
        linear = float(10 ** np.floor(np.log10(positive.min())))
        axis.set_yscale("symlog", linthresh=linear)
        axis.set_ylim(min(-0.1 * linear, every.min()), positive.max() * 1.3)


def _label_steps(axis: Axes, ylabel: str) -> None:
    axis.set(xlabel="environment steps", ylabel=ylabel)
    axis.xaxis.set_major_formatter(EngFormatter(sep=""))


def _draw_pairs(axis: Axes, pairs: np.ndarray, unit: str) -> None:
    """Draw the mean influence of each pair, in grey and as numbers, unless there are too many to read."""
    scale, power = scale_of(pairs)
    others = np.where(np.eye(len(pairs), dtype=bool), np.nan, pairs / scale)
    largest = float(np.nanmax(others, initial=0.0))
    image = axis.imshow(others, cmap="Greys", vmin=0, vmax=largest or 1.0)
    decimals = 2 if largest < 1 else 1 if largest < 10 else 0
    for (k, j), value in np.ndenumerate(others):
        if k != j and len(pairs) <= MOST_NUMBERS:
            color, size = "white" if value > 0.6 * largest else "black", min(8, 60 / len(pairs))
            axis.text(j, k, f"{value:.{decimals}f}", ha="center", va="center", fontsize=size, color=color)
    axis.set(xlabel="influenced agent", ylabel="influencing agent", xticks=range(len(pairs)), yticks=range(len(pairs)))
    axis.set_title(f"mean influence ({power}{unit} per step)")
    if len(pairs) > MOST_NUMBERS:
        axis.figure.colorbar(image, ax=axis, shrink=0.8)
