"""The style of figures: lines that differ in grey, limits, units, and whose style holds."""

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from influence_jax.analysis.style import LINES, STYLE, legend_below, limits, new_axes, scale_of, styled


def grey(line):
    red, green, blue = (int(line["color"][i : i + 2], 16) for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue


def test_lines_differ_in_grey():
    """No two share a dash or a marker, the first four differ in grey by a tenth of it, and so do neighbours."""
    assert len({str(line["linestyle"]) for line in LINES}) == len({line["marker"] for line in LINES}) == len(LINES)
    greys = sorted(map(grey, LINES[:4]))
    assert np.diff(greys).min() > 25
    assert all(abs(grey(a) - grey(b)) > 25 for a, b in zip(LINES, [*LINES[1:], LINES[0]], strict=True))


def test_limits():
    assert limits([[1.0, np.nan], [3.0]]) == (0.9, 3.1)
    assert limits([[0.5, 1.0]], (0, 1)) == (0.475, 1.01)
    assert limits([[-1.0, 1.0]], (0, 1)) == (-1.0, 1.04)  # what is there is shown
    assert limits([[2.0, 2.0]]) == (1.9, 2.1)
    assert limits([[np.nan]]) is None


def test_units_are_powers_of_a_thousand():
    assert scale_of([0.0, np.nan]) == scale_of([-0.2, 999.0]) == (1.0, "")
    assert scale_of([8.5e-6]) == (1e-6, "$10^{-6}$ ")
    assert scale_of([0.0999]) == (1e-3, "$10^{-3}$ ")
    assert scale_of([-4e4]) == (1e3, "$10^{3}$ ")


def test_ours_is_the_style_of_our_figures_and_theirs_of_their_axes():
    @styled
    def plot(*, ax=None):
        figure, (axis,) = new_axes(ax, 1, "")
        legend_below(ax or figure, axis.plot([0, 1], label="line"))
        return figure

    before = dict(matplotlib.rcParams)
    ours, theirs = plot(), Figure().subplots()
    plot(ax=theirs)
    assert dict(matplotlib.rcParams) == before
    assert ours.axes[0].lines[0].get_linewidth() == STYLE["lines.linewidth"] != theirs.lines[0].get_linewidth()
    ours.axes[0].set_xticks(range(30))
    ours.draw_without_rendering()  # makes ticks
    assert {tick.get_fontsize() for tick in ours.axes[0].get_xticklabels()} == {STYLE["xtick.labelsize"]}


@pytest.mark.parametrize("names", [["a", "b", "c"], ["a name that is long " * 5] * 3])
def test_a_legend_makes_its_own_room(names):
    figure, (axis,) = new_axes(None, 1, "")
    before = figure.get_figheight()
    legend_below(figure, [line for name in names for line in axis.plot([0, 1], label=name)])
    figure.draw_without_rendering()
    (legend,) = figure.legends
    assert legend.get_window_extent().width <= figure.bbox.width
    assert figure.get_figheight() - before == pytest.approx(legend.get_window_extent().height / figure.dpi)
