"""Tidy tables, and a run in one line."""

import builtins
import re

import numpy as np
import pytest

from influence_jax.analysis.tables import (
    describe_run,
    final_rows,
    html_table,
    run_rows,
    run_table,
    short_number,
    text_table,
)
from influence_jax.settings import ConfigError
from tests.analysis.rows import METRICS, recorded

MEMBERS = [{"member": 0, "seed": 7, "envy": [0.0, 1.0]}, {"member": 1, "seed": 8, "envy": [0.0, 2.0]}]


def test_a_row_is_a_member_at_a_log_point():
    rows = run_rows(METRICS, MEMBERS)
    assert rows["member"].tolist() == [0, 0, 1, 1] and rows["seed"].tolist() == [7, 7, 8, 8]
    assert rows["envy[1]"].tolist() == [1, 1, 2, 2]
    assert rows["env_steps"].tolist() == [100, 200, 100, 200]
    np.testing.assert_array_equal(rows["collective_return"], [np.nan, 3, 2, 4])
    np.testing.assert_array_equal(rows["agent_returns[0]"], [np.nan, 1, 0.5, 1])
    assert {len(column) for column in rows.values()} == {4}


def test_a_table_is_a_frame():
    pandas = pytest.importorskip("pandas")
    table = run_table(METRICS, MEMBERS)
    assert isinstance(table, pandas.DataFrame) and table.shape == (4, 9)
    assert table.groupby("member")["collective_return"].mean().tolist() == [3, 3]


def test_a_run_without_log_points_has_an_empty_table():
    assert {len(column) for column in run_rows({}, MEMBERS).values()} == {0}


def test_without_pandas_a_table_is_refused(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "pandas":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match="pandas, which tables need, is not installed; install it"):
        run_table(METRICS, MEMBERS)


def test_a_run_in_one_line():
    metrics = recorded(members=4)
    ends = metrics["collective_return"][-2:].mean(axis=0)  # 5 % of 40 log points
    assert (
        describe_run("harvest-moa", metrics, 4)
        == f"Run harvest-moa, 4 members, 2.0M steps, return {ends.mean():.0f} +- {ends.std(ddof=1):.0f}"
    )
    one = {name: x[:, :1] for name, x in metrics.items()}
    assert describe_run("a", one, 1) == f"Run a, 1 member, 2.0M steps, return {ends[0]:.0f}"
    small = one | {"collective_return": np.full((40, 1), -0.45)}
    assert describe_run("a", small, 1) == "Run a, 1 member, 2.0M steps, return -0.5"
    assert describe_run("a", {}, 2) == "Run a, 2 members, 0 steps"
    metrics["collective_return"][:] = np.nan
    assert describe_run("a", metrics, 4) == "Run a, 4 members, 2.0M steps"


def test_numbers_are_short():
    assert [short_number(x) for x in (999, 1500, 2e6, 3e8, 1.2e9)] == ["999", "1.5k", "2.0M", "300.0M", "1.2G"]


def test_text_is_aligned():
    assert text_table([{"name": "a", "x": 1.23456}, {"name": "long", "x": 10.0}]) == (
        "name      x\na     1.235\nlong     10"
    )
    assert text_table([]) == ""


def test_a_table_for_notebooks_escapes_names():
    shown = html_table([{"<group>": "a&b", "x": 1.23456}], "<caption>", ["<note>"])
    cells = re.findall("<td>(.*?)</td>", shown)
    assert cells == ["&lt;group&gt;", "x", "a&amp;b", "1.235"]
    assert "&lt;caption&gt;" in shown and "&lt;note&gt;" in shown and not re.search("<(group|caption|note)>", shown)


def test_a_setting_and_a_metric_do_not_share_a_column():
    rows = final_rows(
        METRICS | {"current_learning_rate": np.ones((2, 2))}, [{"learning_rate": 0.01}, {"learning_rate": 0.001}]
    )
    assert [(row["learning_rate"], row["current_learning_rate"]) for row in rows] == [(0.01, 1), (0.001, 1)]
    for table in (final_rows, run_rows):
        with pytest.raises(ConfigError, match="metrics has learning_rate, which members have too"):
            table(METRICS | {"learning_rate": np.ones((2, 2))}, [{"learning_rate": 0.01}, {"learning_rate": 0.001}])


def test_a_member_that_failed_has_no_end():
    metrics = METRICS | {"failed": np.array([[0, 0], [0, 1]])}
    rows = final_rows(metrics, MEMBERS)
    assert rows[0]["collective_return"] == 3 and np.isnan(rows[1]["collective_return"])
    assert [row["failed"] for row in rows] == [0, 1]
    assert describe_run("a", metrics, 2) == "Run a, 2 members, 200 steps, return 3.0, 1 failed"


def test_a_run_says_who_is_blind():
    sight = np.array([[[0.5, 0.5], [0.5, 0.01]], [[0.4, 0.2], [0.6, 0.04]]])  # [U,S,N]; the end is the last log point
    assert describe_run("a", METRICS | {"agent_sight": sight}, 2).endswith("sight 0.31, 1 of 4 agents blind")
    assert describe_run("a", METRICS | {"agent_sight": sight[:1]}, 2).endswith("sight 0.38, 1 of 4 agents blind")
    assert describe_run("a", METRICS | {"agent_sight": sight + 0.1}, 2).endswith("sight 0.41")
