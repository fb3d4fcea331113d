"""Figures have axes with units, and show the numbers that they should."""

import io
import types

import imageio.v3 as imageio
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from influence_jax.analysis.comparison import compare
from influence_jax.analysis.cross_play import CrossPlay
from influence_jax.analysis.figures import (
    plot_comparison,
    plot_cross_play,
    plot_event_locked,
    plot_influence,
    plot_influence_in_time,
    plot_learning_curves,
    plot_schelling,
)
from influence_jax.analysis.influence import event_locked
from influence_jax.analysis.schelling import schelling_diagram
from influence_jax.settings import ConfigError
from tests.analysis.rows import METRICS, recorded
from tests.analysis.test_influence import INFLUENCE
from tests.analysis.test_schelling import COOPERATES, RETURNS

TWO = {"alone": recorded(200), "influence": recorded(400, seed=1)}


def drawn(figure):
    """Return the figure as an image; it must say what its axes are."""
    for axis in figure.axes:
        assert axis.get_ylabel() or axis.get_yticklabels()[0].get_text() == "alone"
    assert any(axis.get_xlabel() for axis in figure.axes)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return imageio.imread(buffer.getvalue())


def lines_of(axis):
    return {line.get_label(): line.get_ydata() for line in axis.lines if not line.get_label().startswith("_")}


def test_learning_curves_of_one_run(tmp_path):
    metrics = METRICS | {"cleans": np.zeros((2, 2)), "equality": np.full((2, 2), np.nan)}
    figure = plot_learning_curves(metrics, title="title")
    figure.savefig(tmp_path / "curves.png")
    assert imageio.imread(tmp_path / "curves.png").std() > 0
    (axis,) = figure.axes  # what is not there is not drawn
    assert len(axis.lines) == 3  # two members, one mean
    np.testing.assert_array_equal(lines_of(figure.axes[0])["run 0"], [2, 3.5])


def test_learning_curves_of_several_runs_have_a_column_a_panel():
    figure = plot_learning_curves(TWO)
    labels = [axis.get_title() for axis in figure.axes]
    assert "apples" in labels and "fires" in labels and "cleans" not in labels
    np.testing.assert_allclose(
        lines_of(figure.axes[0])["influence"], TWO["influence"]["collective_return"][1:].mean(axis=1)
    )
    assert drawn(figure).std() > 0


def test_of_fewer_than_eight_seeds_each_is_drawn():
    def first(seeds):
        return {name: {c: np.concatenate([x, x], axis=1)[:, :seeds] for c, x in m.items()} for name, m in TWO.items()}

    seven, eight = first(7), first(8)
    for runs, each in ((seven, None), (eight, True)):
        (axis,) = plot_learning_curves(runs, "apples", each=each).axes
        seeds = 7 if runs is seven else 8
        assert not axis.collections and len(axis.lines) == len(TWO) * (seeds + 1)  # and the means
    for runs, each in ((eight, None), (seven, False)):
        (axis,) = plot_learning_curves(runs, "apples", each=each).axes
        assert len(axis.collections) == len(axis.lines) == len(TWO)  # bands and means


def test_axes_end_where_values_do():
    """Not at the ends of Student's intervals, which are far wider with two seeds, nor beyond what a value can be."""
    rng = np.random.default_rng(0)
    two = {"env_steps": np.arange(10.0).repeat(2).reshape(10, 2), "equality": rng.choice([0.0, 0.9, 1.0], (10, 2))}
    for each in (True, False):
        (axis,) = plot_learning_curves(two, "equality", each=each).axes
        low, high = axis.get_ylim()
        assert -0.03 <= low <= 0 and 1 <= high <= 1.03
        for band in axis.collections:
            assert 0 <= band.get_datalim(axis.transData).y0 and band.get_datalim(axis.transData).y1 <= 1
    scores = plot_comparison(compare({"a": two, "b": two}, "equality")).axes[1]
    assert -0.03 <= scores.get_xlim()[0] and scores.get_xlim()[1] <= 1.03
    far = plot_comparison(compare({"a": {"env_steps": two["env_steps"], "apples": 5 + two["equality"]}}, "apples"))
    assert 3 < far.axes[1].get_xlim()[0] and far.axes[1].get_xlim()[1] < 8  # the interval of two seeds is wider


def test_a_metric_that_nobody_measured_is_an_empty_panel():
    """As returns before the first episode has ended: no legend and no warning."""
    runs = {
        name: {"env_steps": np.arange(6.0).reshape(3, 2), "collective_return": np.full((3, 2), np.nan)} for name in "ab"
    }
    (axis,) = plot_learning_curves(runs, "collective_return").axes
    assert not axis.lines and axis.get_legend() is None


def test_panels_show_the_same_steps():
    """Also of returns, which are not known before the first episode has ended."""
    steps = np.arange(8.0).reshape(4, 2)
    run = {"env_steps": steps, "collective_return": np.where(steps < 5, np.nan, steps), "entropy": steps}
    returns, entropy = plot_learning_curves(run, ["collective_return", "entropy"]).axes
    assert returns.get_xlim() == entropy.get_xlim() and returns.get_xlim()[0] <= 0


def test_metrics_of_ones_own_into_an_axis_of_ones_own():
    axis = Figure().subplots()
    assert plot_learning_curves(TWO, ["equality"], ax=axis) is axis.figure
    assert axis.get_ylabel() == "1 - Gini" and len(lines_of(axis)) == 2
    with pytest.raises(ConfigError, match=r"metrics is 'equalty'; .* Did you mean 'equality'"):
        plot_learning_curves(TWO, ["equalty"])


def test_influence_beside_its_bound():
    figure = plot_influence(TWO)
    influence, share = (lines_of(axis)["alone"] for axis in figure.axes if lines_of(axis))
    np.testing.assert_allclose(influence, TWO["alone"]["influence"][:, 0])
    np.testing.assert_allclose(share, (TWO["alone"]["influence"] / TWO["alone"]["entropy"])[:, 0])
    assert drawn(figure).std() > 0
    talking = {name: metrics | {"message_entropy": 2 * metrics["entropy"]} for name, metrics in TWO.items()}
    share_of_messages = lines_of(plot_influence(talking).axes[1])["alone"]
    np.testing.assert_allclose(share_of_messages, share / 2)
    with pytest.raises(ConfigError, match="runs measured no influence"):
        plot_influence(METRICS)


def test_influence_has_the_unit_of_no_single_measure():
    curves, scores = plot_learning_curves(TWO, "influence"), plot_comparison(compare(TWO, "influence"))
    labels = [axis.get_ylabel() for figure in (curves, scores, plot_influence(TWO)) for axis in figure.axes]
    labels += [scores.axes[1].get_xlabel()]
    assert sum("per step" in label for label in labels) == 4 and not any("nats" in label for label in labels)


def test_influence_in_an_episode():
    figure = plot_influence_in_time(INFLUENCE)
    courses = {label: line for axis in figure.axes for label, line in lines_of(axis).items()}
    np.testing.assert_allclose(courses["agent 0"], [0, 0, 0.8, 0])
    assert {text.get_text() for axis in figure.axes for text in axis.texts} == {"0.20", "0.10"}
    assert drawn(figure).std() > 0
    axis = Figure().subplots()
    assert plot_influence_in_time(INFLUENCE, ax=axis) is axis.figure and set(lines_of(axis)) == {"agent 0", "agent 1"}
    assert axis.get_ylabel() == "influence on all others (nats)"
    plot_influence_in_time(types.SimpleNamespace(influence=INFLUENCE, measure="tv"), ax=axis)
    assert axis.get_ylabel() == "influence on all others (tv)"


def test_what_happens_around_events():
    locked = event_locked(np.arange(20.0), np.arange(20) == 10, around=2)
    figure = plot_event_locked(locked, "opening", "apples per step")
    assert figure.axes[0].get_xlabel() == "steps since the opening"
    assert figure.axes[0].get_ylabel() == "apples per step"
    assert "nats" not in plot_event_locked(locked).axes[0].get_ylabel()  # the unit of the values is not known
    np.testing.assert_array_equal(lines_of(figure.axes[0])["mean of 1 event"], [8, 9, 10, 11, 12])
    drawn(figure)


def test_schelling_diagram():
    figure = plot_schelling(schelling_diagram(RETURNS, COOPERATES))
    np.testing.assert_allclose(lines_of(figure.axes[0])["cooperator"], [-0.2, 0.6, 1.4])
    drawn(figure)


def test_comparison():
    figure = plot_comparison(compare(TWO), title="two runs")
    assert [label.get_text() for label in figure.axes[1].get_yticklabels()] == ["alone", "influence\np = 0.0079"]
    drawn(figure)
    axis = Figure().subplots()
    assert plot_comparison(compare(TWO), ax=axis) is axis.figure and axis.get_xlabel()


def test_cross_play():
    returns = np.array([[[[1.0, 3.0]], [[0.0, 0.0]]], [[[8.0, 10.0]], [[5.0, 5.0]]]])
    figure = plot_cross_play(CrossPlay(("a", "b"), returns, returns))
    axis = figure.axes[0]
    np.testing.assert_array_equal(axis.images[0].get_array(), [[2, 0], [9, 5]])
    texts = {text.get_position(): text.get_text() for text in axis.texts}
    assert texts[0, 1].startswith("9\n[-3.71, 21.7]") and "95 % intervals over episodes" in axis.get_xlabel()
    drawn(figure)


def test_a_notebook_shows_a_figure():
    assert plot_schelling(schelling_diagram(RETURNS, COOPERATES))._repr_png_().startswith(b"\x89PNG")


LONG = {
    "selfish agents, who never see what others do": TWO["alone"],
    "agents paid for their real influence on others": TWO["influence"],
    "runs/2026/paid-for-the-influence-of-another-environment": TWO["alone"],
    "agents paid for influence by their models of others": TWO["influence"],
}
PAIRS = np.random.default_rng(0).gamma(0.1, 1e-6, (50, 10, 10)) * (1 - np.eye(10))


@pytest.mark.parametrize(
    "plot",
    [
        lambda: plot_learning_curves(LONG, "equality", title="A title which is as long as titles of papers often are"),
        lambda: plot_learning_curves(METRICS),
        lambda: plot_learning_curves(TWO["alone"]),
        lambda: plot_influence(LONG),
        lambda: plot_comparison(compare(LONG), title="long names"),
        lambda: plot_comparison(compare(LONG, "equality")),
        lambda: plot_influence_in_time(PAIRS),
        lambda: plot_influence_in_time(1e-3 * PAIRS[:, :2, :2]),
        lambda: plot_event_locked(event_locked(PAIRS[:, 0, 1], PAIRS[:, 0, 2] > 1e-7), "shot of agent 0", "nats"),
        lambda: plot_schelling(schelling_diagram(RETURNS, COOPERATES), title="cleanup"),
    ],
)
def test_texts_are_whole_and_apart_and_legends_beside_the_data(plot):
    figure = plot()
    figure.draw_without_rendering()
    page, texts = figure.bbox, [text.get_window_extent() for text in texts_of(figure)]
    for number, box in enumerate(texts):
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
        for other in texts[:number]:
            assert (
                min(box.x1, other.x1) - max(box.x0, other.x0) < 1 or min(box.y1, other.y1) - max(box.y0, other.y0) < 1
            )
    for legend in figure.findobj(Legend):
        assert not any(legend.get_window_extent().overlaps(axis.get_window_extent()) for axis in figure.axes)


def texts_of(figure):
    """Return what is written: titles, names of axes, legends, and the ticks between the ends of axes."""
    found = [text for part in (figure, *figure.subfigs) for text in part.texts]
    found += [text for legend in figure.findobj(Legend) for text in legend.get_texts()]
    for axes in figure.axes:
        found += [axes.title, *axes.texts]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [
                tick for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()) if low <= tick.get_loc() <= high
            ]
            found += [axis.label, *(tick.label1 for tick in ticks)]
    return [text for text in found if text.get_visible() and text.get_text()]


def test_nothing_is_cut_off_at_the_border():
    """A layout changes ticks, and ticks change the layout: after a single one, a label was cut in this figure."""
    ends = {"env_steps": (7680, 153_600), "collective_return": (-2.2, 0.9), "equality": (0, 0.23), "apples": (0, 1)}
    ends |= {"fires": (0, 2.3), "cleans": (1, 24), "entropy": (1.33, 1.96), "influence": (1e-6, 4e-5)}
    ends |= {f"moa_{name}": (1.33, 2.0) for name in ("cross_entropy", "marginal_cross_entropy", "policy_entropy")}
    metrics = {name: np.linspace(low, high, 20)[:, None] for name, (low, high) in ends.items()}
    image = drawn(plot_learning_curves(metrics, title="Three agents on a small Cleanup, paid for influence"))
    for border in (image[0], image[-1], image[:, 0], image[:, -1]):
        assert (border == 255).all()


def test_a_panel_is_as_wide_as_a_column():
    assert (
        plot_learning_curves(TWO, "apples").get_size_inches()[0]
        == plot_schelling(schelling_diagram(RETURNS, COOPERATES)).get_size_inches()[0]
    )
    assert all(
        plot().get_size_inches()[0] <= 6.8 for plot in (lambda: plot_influence(LONG), lambda: plot_learning_curves(TWO))
    )


def test_a_metric_that_is_0_in_one_of_the_runs_is_drawn():
    """Such as a baseline that never opens the box, next to a treatment that does."""
    never = TWO["alone"] | {"cleans": np.zeros((40, 5)), "collective_return": np.zeros((40, 5))}
    opens = TWO["influence"] | {"cleans": np.ones((40, 5))}
    for metrics in (None, ["collective_return", "cleans"], "cleans"):
        axes = plot_learning_curves({"never": never, "opens": opens}, metrics).axes
        for axis in axes:
            assert set(lines_of(axis)) == {"never", "opens"}
        assert {"cleans"} <= {axis.get_title() for axis in axes}
    np.testing.assert_array_equal(lines_of(axes[0])["never"], np.zeros(40))
    assert plot_learning_curves(never | {name: np.zeros((40, 5)) for name in ("apples", "fires")}).axes
    with pytest.raises(ConfigError, match="runs has measured none of collective_return"):
        plot_learning_curves({"env_steps": never["env_steps"]})


def test_influence_of_0_is_drawn_and_counts_in_the_mean():
    half = {name: x[:, :4] for name, x in TWO["influence"].items()}
    half |= {"influence": np.tile([0, 0.2, 0, 0.2], (40, 1)), "entropy": np.ones((40, 4))}
    none = TWO["alone"] | {"influence": np.zeros((40, 5))}
    axis = plot_influence({"none": none, "half": half}).axes[0]
    np.testing.assert_allclose(lines_of(axis)["half"], 0.1)
    np.testing.assert_array_equal(lines_of(axis)["none"], np.zeros(40))
    assert axis.get_yscale() == "symlog" and axis.get_ylim()[0] < 0  # a line at 0 is seen


def legend_of(figure):
    return {text.get_text() for legend in figure.findobj(Legend) for text in legend.get_texts()}


def test_every_band_says_its_level():
    locked = event_locked(np.arange(20.0), np.arange(20) == 10, around=2, confidence=0.8)
    diagram = schelling_diagram(RETURNS, COOPERATES, 0.99)
    assert "80 % of such shifts" in legend_of(plot_event_locked(locked))
    assert "99 % interval of the mean" in legend_of(plot_schelling(diagram))
    both = plot_learning_curves(TWO, ["apples", "fires"], confidence=0.9, each=False)
    assert legend_of(both) == {"alone", "influence", "90 % interval of the mean"}
    assert legend_of(plot_learning_curves(TWO, "apples")) == {"alone", "influence", "each seed (thick: mean)"}
    comparison = plot_comparison(compare(TWO, confidence=0.9))
    assert comparison.axes[1].get_xlabel().endswith("mean with 90 % interval")
    assert "95 % interval of the mean" in legend_of(plot_learning_curves(TWO["alone"], ["apples"], each=False))
