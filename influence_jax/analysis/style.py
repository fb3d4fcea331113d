"""How figures look: one style, sizes that fit a page, and legends beside the data."""

import contextlib
import functools
import io
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, ParamSpec

import numpy as np
from matplotlib import rc_context, rcParams
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.legend import Legend
from matplotlib.transforms import ScaledTranslation

from influence_jax.analysis.arguments import text
from influence_jax.settings import ConfigError, short_repr

Arguments = ParamSpec("Arguments")
Font = Literal["figure.titlesize", "legend.fontsize", "ytick.labelsize"]

COLUMN = 3.4  # inches, the width of a panel; two make the width of a page
HEIGHT = 2.2  # inches of a panel
CHARACTER = 0.64  # of a font's size, the width of a usual character
STYLE: dict[Any, Any] = {
    "font.size": 8.0,
    "figure.titlesize": 9.0,
    "axes.titlesize": 8.0,
    "axes.formatter.limits": (-4, 6),
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.0,
    "figure.dpi": 150.0,
    "savefig.dpi": "figure",
    "pdf.fonttype": 42,  # fonts that publishers accept
}
# Okabe and Ito's colours for the colour-blind, so ordered that neighbours differ in grey.
LINES = (
    {"color": "#0072b2", "linestyle": "-", "marker": "o"},
    {"color": "#e69f00", "linestyle": (0, (5, 1.5)), "marker": "s"},
    {"color": "#000000", "linestyle": "-.", "marker": "D"},
    {"color": "#d55e00", "linestyle": (0, (1, 1.2)), "marker": "^"},
    {"color": "#56b4e9", "linestyle": (0, (3, 1, 1, 1, 1, 1)), "marker": "v"},
    {"color": "#009e73", "linestyle": (0, (8, 2)), "marker": "P"},
    {"color": "#cc79a7", "linestyle": (0, (2, 2)), "marker": "X"},
)


def lines() -> Iterator[dict[str, Any]]:
    """Yield colours, dashes and markers, in a cycle."""
    while True:
        yield from LINES


class StyledFigure(Figure):
    """A figure that a notebook displays, and that pyplot does not keep alive."""

    # Ticks are made while a figure is drawn.
    draw = rc_context(STYLE)(Figure.draw)

    @rc_context(STYLE)
    def savefig(self, *args: Any, **options: Any) -> None:
        """Write the figure as `matplotlib.figure.Figure.savefig` does."""
        self.draw_without_rendering()  # the first layout changes ticks, which need another layout
        super().savefig(*args, **options)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def styled(plot: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Let a function draw in our style, unless it draws into an axis of the caller's."""

    @functools.wraps(plot)
    def draws(*args: Arguments.args, **options: Arguments.kwargs) -> Figure:
        with contextlib.nullcontext() if options.get("ax") is not None else rc_context(STYLE):
            return plot(*args, **options)

    return draws


def new_figure(width: float = COLUMN, height: float = HEIGHT, title: str = "") -> StyledFigure:
    """Return an empty figure of a size in inches."""
    title = wrapped(text("title", title), 0.9 * width, "figure.titlesize")
    figure = StyledFigure(figsize=(width, height + 0.17 * len(title.splitlines())), layout="constrained")
    figure.suptitle(title)
    return figure


def new_axes(ax: Axes | None, panels: int, title: str) -> tuple[Any, list[Axes]]:
    """Return a figure and as many axes, at most two in a row; or the given axis."""
    if ax is not None:
        if not isinstance(ax, Axes):
            raise ConfigError(f"ax is {short_repr(ax)}; allowed: an axis of matplotlib.")
        if text("title", title):
            ax.set_title(title)
        return ax.figure, [ax]
    columns = min(2, panels)
    rows = -(-panels // columns)
    figure = new_figure(COLUMN * columns, HEIGHT * rows, title)
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for axis in axes[panels:]:
        axis.remove()
    return figure, axes[:panels]


def wrapped(words: str, width: float, kind: Font = "legend.fontsize") -> str:
    """Break a text into lines of at most ``width`` inches in a font of matplotlib's settings."""
    points = FontProperties(size=rcParams[kind]).get_size_in_points()
    return textwrap.fill(words, max(12, int(72 * width / points / CHARACTER)))


def legend_below(where: Figure | Axes, handles: Sequence[Artist]) -> None:
    """Add a legend below a figure or below an axis and its label; a figure of ours grows by as much."""
    if not handles:
        return
    width = where.bbox.width / where.figure.dpi
    labels = [wrapped(str(handle.get_label()), width - 0.6) for handle in handles]
    if isinstance(where, Axes):
        words, ticks = where.xaxis.label, where.xaxis.get_ticklabels()
        size, small = (x.get_fontproperties().get_size_in_points() for x in (words, ticks[0]))
        points = 14 + 1.3 * (small + _lines(words) * size)
        down = where.transAxes + ScaledTranslation(0, -points / 72, where.figure.dpi_scale_trans)
        place: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, 0), "bbox_transform": down}
    else:
        place = {"loc": "outside lower center"}
    legend = _widest(where, width, {"handles": handles, "labels": labels, "borderaxespad": 0.3} | place)
    figure, beside = (where, 1) if isinstance(where, Figure) else (where.figure, _columns(where))
    if isinstance(figure, StyledFigure):
        figure.set_figheight(figure.get_figheight() + legend.get_window_extent().height / figure.dpi / beside)


def _columns(axis: Axes) -> int:
    """Return how many axes are beside each other."""
    grid = axis.get_gridspec()
    return 1 if grid is None else grid.ncols


def _lines(words: Any) -> int:
    return 1 + words.get_text().count("\n")


def _widest(where: Figure | Axes, width: float, options: dict[str, Any]) -> Legend:
    """Return the legend with the most columns that fit."""
    for columns in range(min(4, len(options["handles"])), 1, -1):
        legend = where.legend(ncols=columns, **options)
        if legend.get_window_extent().width / where.figure.dpi <= width:
            return legend
        legend.remove()
    return where.legend(ncols=1, **options)


def limits(values: Sequence[Any], possible: tuple[float, float] = (-np.inf, np.inf)) -> tuple[float, float] | None:
    """Return limits of an axis that show ``values``, and hardly more than is ``possible``; None without a finite value."""
    every = np.concatenate([np.ravel(np.asarray(x, float)) for x in values])
    every = every[np.isfinite(every)]
    if not every.size:
        return None
    low, high = float(every.min()), float(every.max())
    span = high - low or abs(high) or 1.0
    least, most = possible[0] - 0.02 * span, possible[1] + 0.02 * span  # lines at the end of a scale stay visible
    return min(low, max(low - 0.05 * span, least)), max(high, min(high + 0.05 * span, most))


def scale_of(values: Any) -> tuple[float, str]:
    """Return a power of a thousand to divide ``values`` by, and how a unit says so, such as ``"$10^{-6}$ "``."""
    largest = float(np.nanmax(np.abs(values), initial=0.0))
    if largest == 0 or 0.1 <= largest < 1000:
        return 1.0, ""
    exponent = 3 * int(np.floor(np.log10(largest) / 3))
    return 10.0**exponent, f"$10^{{{exponent}}}$ "
