"""The columns of an episode's table."""

import dataclasses

import numpy as np
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


def test_players_without_a_policy_have_no_entropy(trace):
    pytest.importorskip("pandas")
    policy = trace.log_policy.copy()
    policy[:, 1] = np.nan
    policy[:, 2] = [0.0] + [-np.inf] * (policy.shape[2] - 1)
    entropy = dataclasses.replace(trace, log_policy=policy).table().entropy.to_numpy().reshape(-1, 3)
    assert np.isnan(entropy[:, 1]).all() and (entropy[:, 2] == 0).all() and (entropy[:, 0] > 0).all()


def test_integers_that_are_no_actions(trace):
    pytest.importorskip("pandas")
    actions = trace.actions.copy()
    actions[0, 0], actions[1, 1] = -1, trace.env.spec.num_actions
    table = dataclasses.replace(trace, actions=actions).table()
    assert (table.action == "none").to_numpy().nonzero()[0].tolist() == [0, 1 * actions.shape[1] + 1]
    np.testing.assert_array_equal(table.log_prob.isna(), table.action == "none")
