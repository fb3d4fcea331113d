"""A sweep needs as few programs as its shapes allow."""

import dataclasses

import pytest

from influence_jax.config import ConfigError
from influence_jax.sweeps.plan import TrialBlock, make_plan, renumbered
from influence_jax.sweeps.space import make_space


def test_traced_settings_share_a_program(tiny):
    config = dataclasses.replace(tiny, seeds=4, seed=10)
    space = make_space(config, {"learning_rate": [1e-3, 3e-4, 1e-4], "env.params.hit_penalty": [0.0, 50.0]})
    (program,) = make_plan(config, space)
    assert program.learner.config.seeds == 4 and len(program.trials) == 24 and program.settings == {}
    assert program.trials == [t for t in range(6) for _ in range(4)]
    assert program.hyperparams["seed"].tolist() == [10, 11, 12, 13] * 6
    assert program.hyperparams["learning_rate"].tolist() == [1e-3] * 8 + [3e-4] * 8 + [1e-4] * 8
    assert program.hyperparams["env.params.hit_penalty"].tolist() == ([0.0] * 4 + [50.0] * 4) * 3


def test_each_combination_of_static_settings_is_a_program_of_its_own(tiny):
    grid = {"learner.num_envs": [2, 4], "learning_rate": [1e-3, 3e-4], "network.critic": ["shared", "separate"]}
    programs = make_plan(tiny, make_space(tiny, grid))
    assert [p.settings for p in programs] == [
        {"learner.num_envs": e, "network.critic": c} for e in (2, 4) for c in ("shared", "separate")
    ]
    assert [sorted(set(p.trials)) for p in programs] == [[0, 2], [1, 3], [4, 6], [5, 7]]
    assert [p.learner.config.learner.num_envs for p in programs] == [2, 2, 4, 4]


def test_settings_that_go_together_only_with_one_another(tiny):
    """Influence that is not measured cannot be paid for, which the common settings alone do not show."""
    grid = {"influence.measure": ["kl", "none"], "influence_weight": [0.0]}
    measured, unmeasured = make_plan(tiny, make_space(tiny, grid))
    assert tiny.hyperparams.influence_weight > 0 and unmeasured.learner.config.influence.measure == "none"
    assert measured.hyperparams["influence_weight"].tolist() == [0.0, 0.0]
    with pytest.raises(ConfigError, match=r"influence_weight.* is 2.5, but influence.measure 'none' does not use it"):
        make_plan(tiny, make_space(tiny, grid | {"influence_weight": [0.0, 2.5]}))


def test_shards_are_stretches_of_the_programs(tiny):
    config = dataclasses.replace(tiny, seeds=2, seed=5)
    space = make_space(config, {"learning_rate": [1e-3, 3e-4, 1e-4, 3e-5], "network.critic": ["shared", "separate"]})
    shards = [make_plan(config, space, (i, 3)) for i in range(3)]  # of 0, 2, 4, 6 | 1, 3, 5, 7
    assert [[program.trials[::2] for program in shard] for shard in shards] == [[[0, 2]], [[4, 6], [1]], [[3, 5, 7]]]
    whole = {program.settings["network.critic"]: program for program in make_plan(config, space)}
    for program in (program for shard in shards for program in shard):
        same = whole[program.settings["network.critic"]]
        for name, column in program.hyperparams.items():
            wanted = [x for t, x in zip(same.trials, same.hyperparams[name], strict=True) if t in program.trials]
            assert column.tolist() == wanted
        assert program.learner.config.seeds == 2
        assert program.learner.config.network.critic == program.settings["network.critic"]


def test_a_shard_keeps_its_trials(tiny):
    rates = [1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6]
    begun = [TrialBlock([2, 3], range(1))]
    config = dataclasses.replace(tiny, seeds=1)
    assert len(make_plan(config, make_space(tiny, {"learning_rate": rates[:4]}), (1, 2), begun)) == 1
    with pytest.raises(ConfigError, match=r"trials \[2\] were begun, which are another shard's now that there are 6"):
        make_plan(config, make_space(tiny, {"learning_rate": rates}), (1, 2), begun)


def test_equal_trials_keep_their_order_when_a_sweep_grows(tiny):
    """Draws from few choices repeat; each of them is a trial of its own."""
    config = dataclasses.replace(tiny, seeds=2)
    before, after = (
        make_space(tiny, listed=[{"discount": x} for x in values])
        for values in ([0.9, 0.8, 0.8, 0.9], [0.8, 0.9, 0.8, 0.9, 0.8])
    )
    (block,) = renumbered([TrialBlock([0, 1, 2, 3], range(2))], before, after)
    assert block.trials == [1, 0, 2, 3]
    done, added = make_plan(config, after, begun=[block])
    assert done.trials == [1, 1, 0, 0, 2, 2, 3, 3] and added.trials == [4, 4]
    with pytest.raises(ConfigError, match=r"a trial of discount 0.9 was begun, which is not among these"):
        renumbered([block], before, make_space(tiny, listed=[{"discount": x} for x in [0.8, 0.8, 0.9]]))


@pytest.mark.parametrize("trials, count", [(7, 3), (16, 16), (64, 10)])
def test_shards_have_every_trial_once_and_alike_many(tiny, trials, count):
    space = make_space(tiny, random={"learning_rate": "log:1e-4:1e-2"}, trials=trials)
    shards = [make_plan(dataclasses.replace(tiny, seeds=1), space, (i, count)) for i in range(count)]
    found = [t for (program,) in shards for t in program.trials]
    assert found == list(range(trials)) and {len(p.trials) for (p,) in shards} <= {trials // count, -(-trials // count)}


@pytest.mark.parametrize(
    "shard, sentence",
    [
        ((2, 2), r"shard is \(2, 2\); allowed: \(i, n\), whole numbers with 0 <= i < n."),
        ((-1, 2), r"shard is \(-1, 2\); allowed"),
        ((0, 0), r"shard is \(0, 0\); allowed"),
        ((0.0, 2), r"shard is \(0.0, 2\); allowed"),
        ("0/2", "shard is '0/2'; allowed"),
        (1, "shard is 1; allowed"),
        ((0, 3), "shard is 0 of 3 where there are 2 trials; allowed: 2 shards at most"),
    ],
)
def test_what_is_no_shard_is_refused(tiny, shard, sentence):
    with pytest.raises(ConfigError, match=sentence):
        make_plan(tiny, make_space(tiny, {"learning_rate": [1e-3, 3e-4]}), shard)


def test_a_trial_that_cannot_be_run_is_named(tiny):
    with pytest.raises(ConfigError, match=r"critic is 'none'; allowed.* \(in the trials with network.critic 'none'\)"):
        make_plan(tiny, make_space(tiny, {"network.critic": ["shared", "none"]}))
    with pytest.raises(ConfigError, match=r"hyperparams\['discount'\] is 2.0; allowed: numbers from 0 to 1"):
        make_plan(tiny, make_space(tiny, {"discount": [0.5, 2.0]}))
