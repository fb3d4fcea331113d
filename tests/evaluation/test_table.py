"""The columns of an episode's table."""

import pytest


def test_table(trace):
    pandas = pytest.importorskip("pandas")
    table = trace.table()
    assert isinstance(table, pandas.DataFrame) and len(table) == 60
    row = table[(table.step == 4) & (table.agent == 2)].iloc[0]
    assert row.action == trace.env.spec.action_names[trace.actions[4, 2]] and row.reward == trace.rewards[4, 2]
    assert row.influence == pytest.approx(trace.influence[4, 2].sum())
    assert row.influence_received == pytest.approx(trace.influence[4, :, 2].sum())
    assert (row["row"], row.column) == tuple(trace.states.position[4, 2])
