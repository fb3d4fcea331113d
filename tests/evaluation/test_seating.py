"""Who may take which seat, and which parameters are used there."""

import dataclasses

import numpy as np
import pytest

from influence_jax.config import ConfigError
from influence_jax.envs import scripted
from influence_jax.evaluation.policy import Policy
from influence_jax.evaluation.seating import seated
from tests.evaluation.conftest import run_of


def test_agents_of_one_kind_are_one_team_with_the_parameters_of_each_at_its_seat(runs):
    run = runs["moa"]
    a, b = run.policy(0), run.policy(1)
    seating, (member,) = seated([b[2], scripted.greedy, a], None)
    assert seating.owner == (0, 1, 0) and seating.players == (scripted.greedy,)
    assert seating.seats(0).tolist() == [True, False, True] and seating.env is run.learner.env
    bias = member.params["action_head"]["bias"]
    np.testing.assert_array_equal(bias[0], b.member.params["action_head"]["bias"][2])
    np.testing.assert_array_equal(bias[2], a.member.params["action_head"]["bias"][2])


def test_kinds_are_told_apart_by_settings_and_by_parts_of_ones_own(runs):
    policy, other = runs["moa"].policy(0), runs["basic"].policy(0)
    own = Policy(
        dataclasses.replace(policy.learner, network=dataclasses.replace(policy.learner.network)), policy.member
    )
    assert seated([policy, other, policy], None)[0].owner == (0, 1, 0)
    assert seated([policy, own, policy], None)[0].owner == (0, 1, 0)


def test_agents_that_learned_for_other_pay_are_of_one_kind(runs):
    talking = runs["communication"].config
    paid = dataclasses.replace(talking.influence, control="shuffled", pay="income_share", credit="effect")
    other = run_of(
        dataclasses.replace(talking, influence=paid, hyperparams=talking.hyperparams.replace(influence_weight=0.0))
    )
    seating, _ = seated([runs["communication"].policy(0), other.policy(0), other.policy(0)], None)
    assert seating.owner == (0, 0, 0)


def test_refusals(runs, tiny):
    policy = runs["moa"].policy(0)
    for agents, sentence in (
        ([policy] * 2, "agents has 2 entries for 3 seats; allowed: one for each seat, or one for all"),
        ([policy, policy, 7], r"agents\[2\] is of type int; allowed: policies, such as run.policy\(0\)"),
        ([runs["moa"]] * 3, r"agents\[0\] is of type Run; allowed: policies, such as run.policy\(0\)"),
        (
            [policy, policy, run_of(tiny).policy(0)[0]],
            r"agents\[2\] was trained with num_agents 2; allowed in this game: 3",
        ),
        ([runs["communication"].policy(0), policy, policy], "agents mixes those that talk with players"),
        (scripted.greedy, "env is None with players alone"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            seated(agents, None)
