"""Numbers of one's own parts: declared with the part, then settings like any hyper-parameter."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import influence_jax
from influence_jax.analysis.members import groups
from influence_jax.cli import train as cli
from influence_jax.config import ConfigError, from_json, to_json
from influence_jax.influence.moa import moa
from influence_jax.learner.learner import make_learner, numbers_of
from influence_jax.learner.pay import paid
from influence_jax.learner.rollout import rollout
from influence_jax.rewards import Shaper
from influence_jax.runtime import population
from influence_jax.runtime.directory import save_config
from influence_jax.settings import number
from influence_jax.sweeps.plan import TrialBlock, make_programs
from influence_jax.sweeps.space import make_space
from tests.learner.worlds import probe_config

CARE = number(0.5, 0, 2, "Weight of the others' rewards.")


def care(state, reward, first, hparams):
    return state, reward + hparams.own["care"] * (reward.sum(axis=-1, keepdims=True) - reward)


def nothing(num_envs, num_agents):
    return ()


def wary(config, num_agents, num_actions, measure):
    """Influence is paid only above a threshold; needs two agents."""
    if num_agents != 2:
        raise ValueError("not two agents")
    model = moa(config, num_agents, num_actions, measure)

    def credit(trajectory, bootstrap, hparams):
        influence = model.credited_influence(trajectory, bootstrap, hparams)
        return jnp.where(influence > hparams.own["least"][:, None], influence, 0.0)

    return dataclasses.replace(model, credit=credit, numbers={"least": number(0.1, 0, 9, "Nats that are not paid.")})


caring = Shaper(nothing, care, numbers={"care": CARE})
greedy_caring = Shaper(nothing, care, numbers={"least": CARE})
bare = Shaper(nothing, care, numbers={"care": 0.5})
listed = Shaper(nothing, care, numbers=["care"])
spoken = Shaper(nothing, care, numbers={"take care": CARE})
discounting = Shaper(nothing, care, numbers={"discount": CARE})
overdone = Shaper(nothing, care, numbers={"care": number(3.0, 0, 2, "Too much.")})

HERE = "tests.learner.test_numbers"
OWN = {"shaper": f"{HERE}:caring", "influence.model": f"{HERE}:wary"}


@pytest.fixture(scope="module")
def own(tiny):
    return tiny.override(**OWN, seeds=1, total_steps=3 * 4 * 20)


@pytest.mark.slow
def test_members_with_numbers_of_their_own_learn_what_they_learn_alone(own, tmp_path):
    """To the bit, although the run was stopped and resumed."""
    values = {"seed": [3, 3], "own.care": [0, 1.5], "own.least": [[0.0, 0.2], [0.1, 0.1]]}

    def stop(point):
        raise KeyboardInterrupt

    influence_jax.train(own, hyperparams=values, out=tmp_path / "run", callback=stop)
    run = influence_jax.resume(tmp_path / "run", trust=True)
    assert [member["own.care"] for member in run.members] == [0, 1.5]
    np.testing.assert_array_equal(run.state.hyperparams.own["least"], np.float32(values["own.least"]))
    assert not np.array_equal(*jax.tree.leaves(run.state.params)[0])
    for member, settings in enumerate(run.members):
        alone = {name: [value] * 2 for name, value in settings.items() if name != "member"}
        alone = influence_jax.train(own, hyperparams=alone)
        jax.tree.map(
            lambda a, b, m=member: np.testing.assert_array_equal(a[m], b[0]), run.state.params, alone.state.params
        )
    loaded = influence_jax.load(tmp_path / "run", trust=True)
    assert loaded.config.hyperparams.own == {"care": 0.5, "least": 0.1}
    jax.tree.map(np.testing.assert_array_equal, loaded.state.hyperparams, run.state.hyperparams)
    assert list(groups(tmp_path / "run", by="own.care")) == ["own.care 0", "own.care 1.5"]
    assert set(run.table()["own.care"]) == {0, 1.5}


def test_each_member_has_its_own_number():
    """One whose number is 0 is paid its own reward, the other one that of all others, too."""
    learner = make_learner(probe_config(model="independent", seeds=2).override(shaper=OWN["shaper"]))
    state = population.init_population(learner, {"seed": [0, 0], "own.care": [0, 1.5]})

    @jax.jit
    @jax.vmap
    def played(state):
        _, trajectory, bootstrap = rollout(learner, state.member, state.rollout_state, 5, state.key)
        return trajectory.reward, paid(learner, state, trajectory, bootstrap, 0.0, state.key).shaped

    reward, shaped = played(state)
    others = reward.sum(axis=-1, keepdims=True) - reward
    np.testing.assert_array_equal(shaped[0], reward[0])
    np.testing.assert_allclose(shaped[1], reward[1] + 1.5 * others[1], rtol=1e-6)
    assert others[1].any()


def test_a_configuration_is_completed_and_read_back(own):
    learner = make_learner(own.override(**{"own.care": 1}))
    assert learner.config.hyperparams.own == {"care": 1.0, "least": 0.1}
    assert from_json(to_json(learner.config)) == learner.config
    assert make_learner(from_json(to_json(learner.config))).config == learner.config
    with pytest.raises(ConfigError, match=r"hyperparams.own is 5; allowed: a JSON object of settings"):
        from_json('{"hyperparams": {"own": 5}}')
    assert learner.config.override(**{"hyperparams.own.least": 0}).hyperparams.own == {"care": 1.0, "least": 0}
    assert make_learner(own.override(**OWN)).config.hyperparams == own.hyperparams.replace(
        own={"care": 0.5, "least": 0.1}
    )


def test_a_replaced_part_brings_its_numbers(tiny):
    learner = dataclasses.replace(make_learner(tiny), shaper=caring)
    assert learner.config.hyperparams.own == {"care": 0.5} and learner.replaced == ("shaper",)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (OWN | {"own.car": 1}, r"hyperparams.own.car is not a number of learner.shaper .*Did you mean 'care'"),
        (OWN | {"own.care": 3}, r"hyperparams.own.care is 3; allowed: numbers from 0 to 2"),
        (OWN | {"own.care": "much"}, r"hyperparams.own.care is 'much'; allowed: numbers from 0 to 2"),
        (
            {"own.care": 1},
            "own.care is not a number of learner.shaper 'individual' or influence.model 'moa'; allowed: none",
        ),
        (
            OWN | {"shaper": f"{HERE}:greedy_caring"},
            "influence.model .* has 'least', which learner.shaper .* declares, too",
        ),
        ({"shaper": f"{HERE}:discounting"}, r"has 'discount', which the package declares, too; allowed: another name"),
        (
            {"shaper": f"{HERE}:bare"},
            "numbers.'care'. of learner.shaper .* is 0.5; allowed: influence_jax.settings.number",
        ),
        ({"shaper": f"{HERE}:listed"}, r"numbers of learner.shaper .* is .'care'.; allowed: names and"),
        ({"shaper": f"{HERE}:spoken"}, r"has 'take care'; allowed: names of letters"),
        ({"shaper": f"{HERE}:overdone"}, r"numbers.'care'. of learner.shaper .* is 3.0; allowed: numbers from 0 to 2"),
    ],
)
def test_numbers_that_cannot_be_used_are_refused(tiny, settings, message):
    with pytest.raises(ConfigError, match=message):
        make_learner(tiny.override(**settings))


def test_members_may_not_have_other_numbers(own):
    learner = make_learner(own)
    with pytest.raises(ConfigError, match=r"hyperparams\['own.cares'\] is not a setting; .*Did you mean 'own.care'"):
        population.with_members(learner, {"own.cares": [1, 2]})
    with pytest.raises(ConfigError, match=r"hyperparams\['own.care'\] is 3; allowed: numbers from 0 to 2"):
        population.with_members(learner, {"own.care": [1, 3]})
    with pytest.raises(ConfigError, match=r"hyperparams\['own.care'\] has shape \[2, 3\]; allowed: \[2\] or \[2, 2\]"):
        population.with_members(learner, {"own.care": [[1, 1, 1], [1, 1, 1]]})


def test_numbers_are_swept_in_one_program(own):
    assert set(numbers_of(own)) == {"care", "least"}
    space = make_space(own, grid={"care": [0, 1]}, random={"hyperparams.own.least": "uniform:0:1"}, trials=2)
    assert list(space.grid) == ["own.care"] and list(space.random) == ["own.least"]
    (program,) = make_programs(own, space, [TrialBlock(range(4), [0])])
    assert program.hyperparams["own.care"].tolist() == [0, 0, 1, 1] and program.settings == {}


def test_options_set_numbers(own, capsys, tmp_path):
    """The number of agents, which the model depends on, may be another option."""
    parts = ["--shaper", OWN["shaper"], "--influence.model", OWN["influence.model"], "--env.num-agents", "2"]
    arguments = ["harvest-moa", *parts, "--out", str(tmp_path / "run"), "--care", "1.5", "--hyperparams.own.least=0.2"]
    config = cli.as_config(cli.read(arguments, "train"))
    assert config.hyperparams.own == {"care": 1.5, "least": 0.2}
    save_config(tmp_path, make_learner(config))
    arguments = ["--config", str(tmp_path / "config.json"), "--trust", "--out", "run", "--own.least", "0.3"]
    assert cli.as_config(cli.read(arguments, "train")).hyperparams.own == {"care": 1.5, "least": 0.3}
    with pytest.raises(SystemExit):
        cli.read(["harvest-moa", *parts, "--help"], "train")
    assert "--hyperparams.own.care" in (shown := capsys.readouterr().out) and "numbers from 0 to 2" in shown
    with pytest.raises(ConfigError, match=r"--own.care is not an option"):
        cli.read(["harvest-moa", "--out", "run", "--own.care", "1"], "train")
    with pytest.raises(ConfigError, match=r"hyperparams.own.care is 'x'; allowed: numbers from 0 to 2"):
        make_learner(cli.as_config(cli.read(["harvest-a3c", *parts[:2], "--out", "run", "--care", "x"], "train")))
