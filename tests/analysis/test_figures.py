"""Figures have axes with units, and show the numbers that they should."""

import io

import imageio.v3 as imageio
import numpy as np
import pytest
from matplotlib.figure import Figure

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
    assert (
        len(figure.axes) == 1 and len(figure.axes[0].lines) == 3
    )  # what is not there is not drawn; two members, one mean
    np.testing.assert_array_equal(lines_of(figure.axes[0])["run 0"], [2, 3.5])


def test_learning_curves_of_several_runs_have_a_column_a_panel():
    figure = plot_learning_curves(TWO)
    labels = [axis.get_title() for axis in figure.axes]
    assert "apples" in labels and "fires" in labels and "cleans" not in labels
    np.testing.assert_allclose(
        lines_of(figure.axes[0])["influence"], TWO["influence"]["collective_return"][1:].mean(axis=1)
    )
    assert figure.axes[0].collections and figure.axes[0].get_legend()  # bands
    assert drawn(figure).std() > 0
    each = plot_learning_curves(TWO, ["collective_return"], each=True).axes[0]
    members = sum(metrics["collective_return"].shape[1] for metrics in TWO.values())
    assert not each.collections and len(each.lines) == members + len(TWO)  # every member, and the means


def test_a_metric_that_nobody_measured_is_an_empty_panel():
    """As returns before the first episode has ended: no legend and no warning."""
    runs = {
        name: {"env_steps": np.arange(6.0).reshape(3, 2), "collective_return": np.full((3, 2), np.nan)} for name in "ab"
    }
    (axis,) = plot_learning_curves(runs, "collective_return").axes
    assert not axis.lines and axis.get_legend() is None


def test_columns_of_ones_own_into_an_axis_of_ones_own():
    axis = Figure().subplots()
    assert plot_learning_curves(TWO, ["equality"], ax=axis) is axis.figure
    assert axis.get_ylabel() == "1 - Gini" and len(lines_of(axis)) == 2
    with pytest.raises(ConfigError, match=r"columns is 'equalty'; .* Did you mean 'equality'"):
        plot_learning_curves(TWO, ["equalty"])


def test_influence_beside_its_bound():
    figure = plot_influence(TWO)
    influence, share = (lines_of(axis)["alone"] for axis in figure.axes if lines_of(axis))
    np.testing.assert_allclose(influence, TWO["alone"]["influence"][:, 0])
    np.testing.assert_allclose(share, (TWO["alone"]["influence"] / TWO["alone"]["entropy"])[:, 0])
    assert drawn(figure).std() > 0
    with pytest.raises(ConfigError, match="runs measured no influence"):
        plot_influence(METRICS)


def test_influence_in_an_episode():
    figure = plot_influence_in_time(INFLUENCE)
    courses = {label: line for axis in figure.axes for label, line in lines_of(axis).items()}
    np.testing.assert_allclose(courses["agent 0"], [0, 0, 0.8, 0])
    assert {text.get_text() for axis in figure.axes for text in axis.texts} == {"0.2", "0.1"}
    assert drawn(figure).std() > 0
    axis = Figure().subplots()
    assert plot_influence_in_time(INFLUENCE, ax=axis) is axis.figure and set(lines_of(axis)) == {"agent 0", "agent 1"}


def test_what_happens_around_events():
    figure = plot_event_locked(event_locked(np.arange(20.0), np.arange(20) == 10, around=2), "opening")
    assert figure.axes[0].get_xlabel() == "steps since the opening"
    np.testing.assert_array_equal(lines_of(figure.axes[0])["mean of 1"], [8, 9, 10, 11, 12])
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


def test_lines_differ_in_grey():
    """No two neighbours share a dash, a marker and a grey."""
    from influence_jax.analysis.figures import STYLES

    assert len({str(style["linestyle"]) for style in STYLES}) == len({s["marker"] for s in STYLES}) == len(STYLES)


def test_a_metric_that_is_0_in_one_of_the_runs_is_drawn():
    """Such as a baseline that never opens the box, next to a treatment that does."""
    never = TWO["alone"] | {"cleans": np.zeros((40, 5)), "collective_return": np.zeros((40, 5))}
    opens = TWO["influence"] | {"cleans": np.ones((40, 5))}
    for columns in (None, ["collective_return", "cleans"], "cleans"):
        axes = plot_learning_curves({"never": never, "opens": opens}, columns).axes
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
    assert axis.get_yscale() == "symlog" and axis.get_ylim()[0] == 0


def test_every_band_says_its_level():
    locked = event_locked(np.arange(20.0), np.arange(20) == 10, around=2, confidence=0.8)
    diagram, named = schelling_diagram(RETURNS, COOPERATES, 0.99), "mean, 90 % interval"
    assert "80 % of that" in {text.get_text() for text in plot_event_locked(locked).axes[0].get_legend().get_texts()}
    assert plot_schelling(diagram).axes[0].get_legend().get_title().get_text() == "mean, 99 % interval"
    both = plot_learning_curves(TWO, ["apples", "fires"], confidence=0.9)
    assert {axis.get_legend().get_title().get_text() for axis in both.axes} == {named}
    comparison = plot_comparison(compare(TWO, confidence=0.9))
    assert comparison.axes[0].get_legend().get_title().get_text() == named
    assert comparison.axes[1].get_xlabel().endswith("(90 % interval)")
    default = plot_learning_curves(TWO["alone"], ["apples"], each=False)
    assert default.axes[0].get_legend().get_title().get_text() == "mean, 95 % interval"
