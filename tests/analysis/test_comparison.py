"""Comparisons of runs against calculations by hand."""

import numpy as np
import pytest

from influence_jax.analysis.comparison import compare
from influence_jax.analysis.statistics import hedges_g, permutation_test, t_interval, welch_interval
from influence_jax.settings import ConfigError
from tests.analysis.rows import recorded, run

RUNS = {"alone": recorded(200), "influence": recorded(400, seed=1)}


def test_a_comparison_by_hand():
    found = compare(RUNS)
    alone, influence = (metrics["collective_return"][-2:].mean(axis=0) for metrics in RUNS.values())
    first, second = found.rows
    assert first["group"] == "alone" and first["seeds"] == 5 and np.isnan(first["p"])
    student = t_interval(alone)
    assert (first["mean"], first["low"], first["high"]) == (student.value, student.low, student.high)
    assert second["difference"] == pytest.approx(influence.mean() - alone.mean())
    welch = welch_interval(influence, alone)
    assert (second["difference_low"], second["difference_high"]) == (welch.low, welch.high)
    assert second["p"] == pytest.approx(2 / 252) == permutation_test(influence, alone)
    assert second["g"] == pytest.approx(hedges_g(influence, alone)) and second["improves"] == 1
    assert second["iqm"] == pytest.approx(np.sort(influence)[1:4].mean())
    np.testing.assert_allclose(found.scores["alone"], alone)
    np.testing.assert_allclose(found.curves["influence"].value[-1], RUNS["influence"]["collective_return"][-1].mean())
    assert np.isnan(found.curves["alone"].value[0])


def test_settings_of_one_run_are_compared():
    members = [{"member": m, "influence_weight": float(m // 5), "seed": m % 5} for m in range(10)]
    metrics = {name: np.concatenate([a, RUNS["influence"][name]], axis=1) for name, a in RUNS["alone"].items()}
    found = compare(run(members, metrics), by="influence_weight")
    assert [row["group"] for row in found.rows] == ["influence_weight 0", "influence_weight 1"]
    assert found.rows[1] | {"group": "influence"} == compare(RUNS).rows[1]


def test_it_reads_well():
    text = repr(compare(RUNS, summarise="auc"))
    lines = text.splitlines()
    assert lines[0] == "collective_return, auc; 95 % intervals, differences from alone"
    assert lines[1].split()[:3] == ["group", "seeds", "mean"] and lines[3].startswith("influence") and len(lines) == 4
    assert max(map(len, lines)) < 130
    shown = compare(RUNS, summarise="auc")._repr_html_()
    assert lines[0] in shown and shown.count("<tr>") == 3 and "<td>influence</td>" in shown


def test_it_is_a_frame():
    pytest.importorskip("pandas")
    table = compare(RUNS).table()
    assert list(table.index) == ["alone", "influence"] and table.loc["influence", "improves"] == 1
    curves = compare(RUNS).curve_table()
    assert len(curves) == 2 * 40 and curves["env_steps"][39] == 2_000_000
    assert curves["mean"][79] == pytest.approx(RUNS["influence"]["collective_return"][-1].mean())


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ConfigError, match=r"metric is 'colective_return'; .* Did you mean 'collective_return'"):
        compare(RUNS, "colective_return")
    with pytest.raises(ConfigError, match="metric is 'agent_returns'"):
        compare(RUNS, "agent_returns")
    with pytest.raises(ConfigError, match="summarise is 'last'; allowed: final, final_steps, auc, best"):
        compare(RUNS, summarise="last")


def test_what_is_missing_is_said():
    failing = RUNS["alone"] | {"failed": np.zeros((40, 5))}
    failing["failed"][-1, 3] = 1
    one = {name: x[:, :1] for name, x in RUNS["influence"].items()}
    found = compare({"failing": failing, "one": one})
    assert found.rows[0]["seeds"] == 4 and np.isnan(found.scores["failing"][3]) and np.isnan(found.rows[1]["p"])
    assert repr(found).splitlines()[-2:] == [
        "failing: 1 of 5 members failed and have no score.",
        "one: 1 seed with a score, from which there is no interval and no p.",
    ]


def test_close_settings_are_groups_of_their_own():
    members = [{"member": m, "discount": x, "seed": 0} for m, x in enumerate((0.99, 0.9995, 0.9999, 0.99996))]
    found = compare(run(members, {name: x[:, :4] for name, x in RUNS["alone"].items()}), by="discount")
    assert list(found.scores) == ["discount 0.99", "discount 0.9995", "discount 0.9999", "discount 0.99996"]


def test_what_has_not_come_as_far_is_named():
    """As in an unfinished sweep."""
    (note,) = compare({"whole": recorded(points=40), "half": recorded(points=20)}).notes
    assert note.endswith("environment steps at the last log point: whole 2,000,000, half 1,000,000.")
    assert not compare({"one": recorded(), "other": recorded(seed=1)}).notes
