"""Every setting declares its allowed values, and refuses others in one sentence."""

import dataclasses

import numpy as np
import pytest

import influence_jax.config
from influence_jax import influence, presets, rewards
from influence_jax.config import (
    ConfigError,
    EnvConfig,
    ExperimentConfig,
    Hyperparams,
    InfluenceConfig,
    LearnerConfig,
    code_paths,
    declared,
    from_json,
    full_path,
    to_json,
    validate,
)
from influence_jax.influence.measures import MEASURES
from influence_jax.learner.algorithms import ALGORITHMS
from influence_jax.learner.optimizer import OPTIMIZERS
from influence_jax.settings import Allowed, Choices, Integers, Texts

SETTINGS = {path: field for path, field, _ in declared(ExperimentConfig())}


def with_setting(path, value, config=None):
    """Return a configuration with one setting by its path."""
    section, _, name = path.rpartition(".")
    config = config or ExperimentConfig()
    if not section:
        return dataclasses.replace(config, **{name: value})
    return dataclasses.replace(config, **{section: dataclasses.replace(getattr(config, section), **{name: value})})


def test_every_field_says_what_it_may_be_and_what_it_is():
    def fields(cls, prefix=""):
        for field in dataclasses.fields(cls):
            if dataclasses.is_dataclass(field.type):
                yield from () if field.type is EnvConfig else fields(field.type, f"{prefix}{field.name}.")
            elif prefix + field.name != "hyperparams.own":  # parts of one's own declare what is in there
                yield prefix + field.name, field

    for path, field in fields(ExperimentConfig):
        assert isinstance(field.metadata["allowed"], Allowed), path
        assert field.metadata["help"].endswith("."), path
        for other, users in field.metadata["used_with"].items():
            assert set(users) <= set(SETTINGS[other].metadata["allowed"].names()), path
    assert dict(fields(ExperimentConfig)).keys() == SETTINGS.keys()


def test_choices_are_those_of_the_tables():
    tables = {
        "influence.model": influence.MODELS,
        "influence.measure": [*MEASURES, "none"],
        "learner.shaper": rewards.SHAPERS,
        "learner.algorithm": ALGORITHMS,
        "learner.optimizer": OPTIMIZERS,
    }
    for path, table in tables.items():
        assert SETTINGS[path].metadata["allowed"].names() == list(table)


@pytest.mark.parametrize("path", SETTINGS)
def test_nonsense_is_refused_and_named(path):
    allowed = SETTINGS[path].metadata["allowed"]
    too_large = 10**16 if "steps" in path else 2**31
    for value in (
        float("nan"),
        1e39,
        -1e39,
        "nonsense",
        None,
        *([too_large] if isinstance(allowed, Integers) else [[], {}]),
    ):
        if isinstance(allowed, Texts) and value in ([], {}):
            continue
        if path == "influence.bonus_actions" and value == "nonsense":
            continue  # only the game knows its actions
        with pytest.raises(ConfigError) as error:
            validate(with_setting(path, value))
        assert str(error.value).startswith(f"{path} is {value!r}; allowed: {allowed}."), value
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", [np.int32, np.int64, np.uint8, int])
def test_integers_of_numpy_are_integers(kind):
    config = validate(with_setting("learner.num_envs", kind(7)))
    assert type(config.learner.num_envs) is int and config.learner.num_envs == 7
    assert from_json(to_json(config)) == config


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64, float])
def test_numbers_of_numpy_are_numbers(kind):
    config = validate(with_setting("hyperparams.entropy_coef", kind(1)))
    assert type(config.hyperparams.entropy_coef) is float and from_json(to_json(config)) == config


UNUSED = {path: field for path, field in SETTINGS.items() if field.metadata["used_with"]}


@pytest.mark.parametrize("path", UNUSED)
def test_what_would_be_ignored_is_refused(path):
    field = UNUSED[path]
    ((other, users),) = field.metadata["used_with"].items()
    allowed, default = field.metadata["allowed"], field.default
    if isinstance(allowed, Choices):
        value = next(name for name in allowed.names() if name != default)
    elif isinstance(allowed, Texts):
        value = ("stay",)
    else:
        value = default + 1 if isinstance(default, int) else default / 2 + 0.125
    for user in (*SETTINGS[other].metadata["allowed"].names(), "my_lab.things:own"):
        social = with_setting("influence.model", "moa" if other == "influence.control" else "independent")
        config = with_setting(path, value, with_setting(other, user, social))
        if user in users or user == "my_lab.things:own":
            try:
                validate(config)
            except ConfigError as error:
                unused = str(error).startswith(path) and "does not use it" in str(error)
                assert not unused, error
        else:
            with pytest.raises(ConfigError, match=rf"{path} is .*, but {other} .* does not use it; allowed: "):
                validate(config)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"influence": InfluenceConfig(model="basic", control="shuffled"), "learner": LearnerConfig(num_envs=1)},
            "learner.num_envs is 1 with influence.control 'shuffled', which pays each environment the influence of another; "
            "allowed: whole numbers from 2 up.",
        ),
        (
            {"influence": InfluenceConfig(model="basic", measure="pmi", pay="income_share")},
            "influence.measure is 'pmi' with influence.pay 'income_share', but its mean may be 0 or below",
        ),
        (
            {"learner": LearnerConfig(algorithm="ppo", num_envs=9)},
            "learner.ppo_minibatches is 8 with learner.num_envs 9; allowed: divisors",
        ),
        (
            {"hyperparams": Hyperparams(exploration_fraction=0.25)},
            "is 0.25, but hyperparams.exploration 0.0 does not use it",
        ),
        (
            {"learner": LearnerConfig(num_envs=2**20, rollout_length=2**20)},
            "allowed: whole numbers up to 2147483647",
        ),
        ({"seed": 2**31 - 1, "seeds": 2}, "seed plus seeds is 2147483649"),
        ({"total_steps": 10**15}, "total_steps in updates is"),
    ],
)
def test_settings_that_do_not_go_together(changes, words):
    with pytest.raises(ConfigError) as error:
        validate(ExperimentConfig(**changes))
    assert words in str(error.value) and "\n" not in str(error.value)


def test_what_a_value_leaves_unused_is_declared():
    """A setting that another one's value leaves unused is refused with that value and accepted with others."""
    declared_so = {
        path: field.metadata["unused_with"] for path, field in SETTINGS.items() if field.metadata["unused_with"]
    }
    assert declared_so == {
        "influence.credit": {"influence.measure": "none"},
        "influence.control": {"influence.measure": "none"},
        "influence.pay": {"influence.measure": "none"},
        "influence.moa_marginal": {"influence.measure": "none"},
        "hyperparams.exploration_fraction": {"hyperparams.exploration": 0},
        "hyperparams.influence_weight": {"influence.measure": "none", "influence.pay": "income_share"},
        "hyperparams.listening_weight": {"influence.listening_loss": False},
    }
    moa = ExperimentConfig(influence=InfluenceConfig(model="moa"))
    talking = ExperimentConfig(influence=InfluenceConfig(model="communication"))
    users = {"influence.credit": talking, "hyperparams.listening_weight": talking}
    others = {"credit": "effect", "control": "noise", "pay": "income_share", "moa_marginal": "released"}
    used = {"exploration": 0.5, "measure": "kl", "pay": "weight", "listening_loss": True}
    for path, other, value in [(path, *pair) for path, pairs in declared_so.items() for pair in pairs.items()]:
        given = others.get(path.rpartition(".")[2], 0.25)
        config = with_setting(path, given, with_setting(other, value, users.get(path, moa)))
        with pytest.raises(ConfigError, match=rf"{path} is {given!r}, but {other} .* does not use it; allowed: "):
            validate(config)
        validate(with_setting(other, used[other.rpartition(".")[2]], config))


def test_a_game_is_a_name_with_its_options():
    env = EnvConfig("cleanup", num_agents=3, layout=["P P", "P P"])
    assert env == EnvConfig("cleanup", {"num_agents": 3, "layout": ("P P", "P P")}) and hash(env) == hash(env)
    assert dataclasses.replace(env, num_agents=2).options == {"num_agents": 2, "layout": ("P P", "P P")}
    config = ExperimentConfig(env=EnvConfig("harvest", params={"regrowth": [0, 0.1, 0.2, 0.3]}))
    assert from_json(to_json(config)) == config


def test_code_of_others_is_named():
    config = ExperimentConfig(
        env=EnvConfig("my_lab.games:Corridor"), learner=LearnerConfig(metrics=("my_lab.metrics:one",))
    )
    assert code_paths(config) == {"env.name": "my_lab.games:Corridor", "learner.metrics": "my_lab.metrics:one"}
    assert code_paths(ExperimentConfig(env=EnvConfig("influence_jax.envs.probes:Cue"))) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "the configuration is not valid JSON"),
        ("[]", "the configuration is []; allowed: a JSON object"),
        ('{"sed": 1}', "sed is not a setting; allowed: env, network, influence"),
        ('{"learner": 3}', "learner is 3; allowed: a JSON object"),
        ('{"learner": {"num_env": 3}}', "metrics. Did you mean 'num_envs'?"),
        ('{"env": {"options": 3}}', "env.options is 3; allowed: a JSON object"),
    ],
)
def test_configurations_that_cannot_be_read(text, words):
    with pytest.raises(ConfigError) as error:
        from_json(text)
    assert words in str(error.value)


def test_settings_are_changed_by_their_short_names():
    """Other settings stay unchanged."""
    config = presets.get("harvest-moa", "small")
    changed = config.override(
        num_envs=8,
        core_size=32,
        total_steps=2e6,
        **{"env.num_agents": 3, "env.params.hit_penalty": 0, "influence.measure": "jsd"},
    )
    assert (changed.learner.num_envs, changed.network.core_size, changed.total_steps) == (8, 32, 2_000_000)
    assert changed.env == EnvConfig("harvest", num_agents=3, params={"hit_penalty": 0})
    assert changed.influence.measure == "jsd" and changed.network.critic == config.network.critic == "separate"
    back = {"num_envs": 64, "core_size": 128, "total_steps": config.total_steps, "influence.measure": "kl"}
    assert changed.override(**back) == dataclasses.replace(config, env=changed.env)
    assert presets.get("harvest-moa", "small", num_envs=8) == config.override(num_envs=8)
    with pytest.raises(ConfigError, match=r"'num_env' is not a setting; allowed: .* Did you mean 'learner.num_envs'"):
        config.override(num_env=3)
    with pytest.raises(
        ConfigError, match=r"'env' is not a setting; allowed: .*, the game's by their paths, such as env.n"
    ):
        config.override(env=3)
    with pytest.raises(ConfigError, match=r"'x' names more than one setting; allowed: a\.x or b\.x\."):
        full_path("x", ["a.x", "b.x", "c.y"])


def test_a_configuration_prints_what_differs_from_the_defaults():
    config = presets.get("harvest-moa", "small", **{"env.num_agents": 2, "env.params.hit_penalty": 0})
    assert eval(repr(config), vars(influence_jax.config)) == config and len(repr(config)) < 600
    assert repr(ExperimentConfig()) == "ExperimentConfig()"
    assert repr(Hyperparams(discount=np.ones(4))) == "Hyperparams(discount=an array of float64 of shape [4])"
