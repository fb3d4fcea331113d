"""The settings of an experiment: static ones shape the program, hyper-parameters are traced numbers."""

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from influence_jax.settings import (
    INT32_MAX,
    ConfigError,
    checked,
    choice,
    flag,
    integer,
    is_path,
    nearest,
    number,
    texts,
    whole_number,
)

_MODEL = "influence.model"
_SOCIAL = {_MODEL: ("basic", "communication", "moa")}
_TALKING = {_MODEL: ("communication",)}
_PPO = {"learner.algorithm": ("ppo",)}
_INEQUITY = {"learner.shaper": ("inequity_averse",)}
_ANY = math.inf


@dataclasses.dataclass(frozen=True, init=False)
class EnvConfig:
    """Which game, and what is not as the game has it by default: ``EnvConfig("cleanup", num_agents=3)``.

    ``options`` are static fields of the game, such as ``num_agents``, ``horizon`` or ``layout``; ``params`` are its traced
    numbers, such as ``hit_penalty``. Both are the game's own, so what there is depends on it (``influence-jax envs``).
    """

    name: str
    options: Mapping[str, Any]
    params: Mapping[str, Any]

    def __init__(self, name: str = "harvest", options: Mapping = (), params: Mapping = (), **more_options: Any):
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "options", _plain("env.options", options) | _plain("env.options", more_options))
        object.__setattr__(self, "params", _plain("env.params", params))

    def __hash__(self) -> int:
        return hash((self.name, tuple(sorted(self.options)), tuple(sorted(self.params))))


def _plain(path: str, values: Any) -> dict[str, Any]:
    """Lists become tuples, so that a configuration read from JSON equals the one written."""
    values = {} if isinstance(values, tuple) and not values else values
    if not isinstance(values, Mapping):
        raise ConfigError(f"{path} is {values!r}; allowed: names and values.")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
    """Each agent's own network, and its sizes (section 4 of the paper's supplement)."""

    name: str = choice(
        "lstm",
        "influence_jax.networks.agent:NETWORKS",
        "The network: a convolution, dense layers and an LSTM (as in the paper), a GRU or a layer without memory "
        '("feedforward"); or one of your own, which is given the spec and these settings.',
        custom=True,
    )
    conv_channels: int = integer(6, 1, "Output channels of the 3 x 3 convolution.")
    hidden_size: int = integer(32, 1, "Units of each of the two dense layers.")
    lstm_size: int = integer(128, 1, "Units of the core.")
    message_embedding: int = integer(
        32, 1, "Units of the linear layer between the LSTM and the messages (Table 2).", used_with=_TALKING
    )
    critic: str = choice(
        "separate",
        ("shared", "separate"),
        "Where values are read: from the policy's recurrent core, through which their gradient reaches everything (as in the "
        'paper), or from dense layers and a core of their own on the same image, which learns nothing from them ("separate").',
    )
    normalise_features: bool = flag(
        True,
        "Whether the features that enter a recurrent core have mean 0 and variance 1, by a layer norm (the paper has none).",
    )
    moa_encoder: str = choice(
        "shared",
        ("shared", "own"),
        "Whether the model of others, where there is one, looks through the policy's convolution (as in the paper) or one of "
        "its own.",
    )
    precision: str = choice(
        "float32",
        ("float32", "bfloat16"),
        "To what the factors of matrix products are rounded; parameters, sums and everything else are float32.",
    )


@dataclasses.dataclass(frozen=True)
class InfluenceConfig:
    """How influence is produced and measured."""

    model: str = choice(
        "independent",
        "influence_jax.influence:MODELS",
        '"independent" computes no influence; in "basic" influencers act first and are seen (section 4); in "communication" '
        'agents send messages (section 5); in "moa" each agent asks its own model of the others (section 6).',
        custom=True,
    )
    visible_actions: bool = flag(
        False,
        "Whether an independent agent is told the others' last actions; a basic and a moa agent always is.",
        used_with={_MODEL: ("independent",)},
    )
    measure: str = choice(
        "kl",
        "influence_jax.influence.measures:MEASURES",
        'How far the others\' behaviour moved. "none" computes no influence and logs 0, which saves the time in a baseline.',
        custom=True,
        others=("none",),
        used_with=_SOCIAL,
    )
    num_influencers: int = integer(
        1,
        1,
        "K of the basic model: agents 0 to K-1 act first and influence the rest.",
        used_with={_MODEL: ("basic",)},
    )
    num_messages: int = integer(9, 1, "Vocabulary of the communication model.", used_with=_TALKING)
    credit: str = choice(
        "cause",
        ("cause", "effect"),
        "Which message of the communication model is rewarded: the one that influenced, or the one sent when its effect shows.",
        used_with=_TALKING,
    )
    control: str = choice(
        "none",
        "influence_jax.influence.controls:CONTROLS",
        "Negative control, what is paid instead of influence at the same scale: the influence of another environment "
        '("shuffled"), random numbers ("noise"), the influencer\'s own surprisal ("entropy"), or the mutual information, '
        'which does not depend on the action ("mi").',
        used_with=_SOCIAL,
    )
    moa_train_only_visible: bool = flag(
        True,
        'Whether the model of others is trained only on agents in view (Table 3, "MOA loss only when visible").',
        used_with={_MODEL: ("moa",)},
    )


@dataclasses.dataclass(frozen=True)
class LearnerConfig:
    """Shape and rules of one synchronous update."""

    algorithm: str = choice(
        "a2c",
        "influence_jax.learner.algorithms:ALGORITHMS",
        "One gradient step a rollout, or clipped surrogate steps over several epochs of minibatches.",
    )
    ppo_epochs: int = integer(4, 1, "Passes over a rollout (PPO).", used_with=_PPO)
    ppo_minibatches: int = integer(
        8,
        1,
        "Groups of environments in a pass, at most one for each environment (PPO); time is never shuffled.",
        used_with=_PPO,
    )
    shaper: str = choice(
        "individual",
        "influence_jax.rewards:SHAPERS",
        "How the environment's rewards of all agents become one agent's reward.",
        custom=True,
    )
    observe_rewards: bool = flag(
        False,
        "Whether inequity-averse agents observe everybody's smoothed rewards, divided by 10, beside the image "
        "(Hughes et al. 2018).",
        used_with=_INEQUITY,
    )
    num_envs: int = integer(32, 1, "E, parallel environments of each member.")
    rollout_length: int = integer(20, 1, "T, environment steps between updates.")
    optimizer: str = choice(
        "rmsprop",
        "influence_jax.learner.optimizer:OPTIMIZERS",
        "RMSProp (decay .99, eps 2.5e-8 inside the root) or Adam (.9, .999, eps 1e-8).",
        custom=True,
    )
    reward_scaling: str = choice(
        "none",
        ("none", "running_std"),
        "By what rewards are divided, per agent and head: nothing, or the running standard deviation of the discounted return "
        '(half-life 100,000 steps), never below 1 ("running_std").',
    )
    diagnostics: bool = flag(
        False,
        "Whether to log what share each term of the loss has in the gradient of the encoder and the action head, at the price "
        "of a backward pass for each term.",
    )
    metrics: tuple[str, ...] = texts(
        (),
        "Functions of a rollout whose means over valid steps are logged beside the others, each "
        '"package.module:function".',
        paths=True,
    )

    @property
    def gradient_steps(self) -> int:
        """Gradient steps of one update."""
        return self.ppo_epochs * self.minibatches if self.algorithm == "ppo" else 1

    @property
    def minibatches(self) -> int:
        """Gradient steps of one pass of PPO over a rollout."""
        return min(self.ppo_minibatches, self.num_envs)


@dataclasses.dataclass(frozen=True)
class Hyperparams:
    """Every continuous number of the learner. Traced: a sweep over them is a vmap, never a new compilation.

    In a run each is f32[N], one number for each agent, and members of a population may differ in all of them.
    """

    learning_rate: float = number(1e-3, 0, _ANY, "At the start of the run; falls linearly.")
    learning_rate_end: float = number(1e-5, 0, _ANY, "At the end of the run.")
    discount: float = number(0.99, 0, 1, "Gamma, per environment step.")
    gae_lambda: float = number(1.0, 0, 1, "Lambda of the returns; 1 is the n-step return to the end of the rollout.")
    entropy_coef: float = number(
        0.001,
        0,
        _ANY,
        "Weight of the policy's entropy bonus, in rewards per nat; with PPO, in deviations of the advantage per nat.",
    )
    exploration: float = number(
        0.0, 0, _ANY, "Added to every head's entropy weight, in its unit, at the start of the run; falls linearly to 0."
    )
    exploration_fraction: float = number(
        0.5, 0, 1, "Fraction of the run after which exploration is 0.", unused_with={"hyperparams.exploration": 0}
    )
    value_coef: float = number(
        0.5,
        0,
        _ANY,
        "Weight of the value loss, which is in squared rewards as scaled, beside a policy loss in such rewards.",
    )
    ppo_clip: float = number(
        0.2,
        0,
        _ANY,
        "How far a probability may move in one rollout's epochs, as a ratio, and a value, in scaled rewards (PPO).",
        used_with=_PPO,
    )
    max_grad_norm: float = number(40.0, 0, _ANY, "Global-norm clip, per agent and per module, in rewards as scaled.")
    extrinsic_weight: float = number(1.0, -_ANY, _ANY, "Alpha, the weight of the environment's reward.")
    fine_softening: float = number(
        0.0,
        0,
        1,
        "Fraction of the run over which fines rise to their size: a reward r below -1 counts as -|r|^p, and p rises linearly "
        "from 0 to 1.",
    )
    influence_weight: float = number(
        0.0,
        -_ANY,
        _ANY,
        "Beta, the weight of the influence reward, in rewards per nat.",
        used_with=_SOCIAL,
        unused_with={"influence.measure": "none"},
    )
    influencee_share: float = number(
        0.0,
        0,
        _ANY,
        "What influencees of the basic model are paid, as a fraction of what their influencers get (Table 1: 0 or 1).",
        used_with={_MODEL: ("basic",)},
    )
    influence_curriculum: float = number(
        0.0, 0, 1, "Fraction of the run over which beta rises linearly from 0.", used_with=_SOCIAL
    )
    moa_loss_weight: float = number(
        1.0,
        0,
        _ANY,
        "Weight of the cross-entropy of the model of other agents, in rewards per nat; with PPO, in deviations of the advantage.",
        used_with={_MODEL: ("moa",)},
    )
    message_extrinsic_weight: float = number(
        1.0, -_ANY, _ANY, "Alpha of the message head, whose reward is alpha e + beta c.", used_with=_TALKING
    )
    message_loss_weight: float = number(
        1.0,
        0,
        _ANY,
        "Weight of the message head's policy and value losses, relative to the action's (a ratio).",
        used_with=_TALKING,
    )
    message_entropy_coef: float = number(
        0.001,
        0,
        _ANY,
        "Weight of the message head's entropy bonus, outside the loss weight, in the unit of hyperparams.entropy_coef.",
        used_with=_TALKING,
    )
    prosocial_weight: float = number(
        0.85,
        -_ANY,
        _ANY,
        "Eta of prosocial agents: what a reward of another agent is worth to oneself.",
        used_with={"learner.shaper": ("prosocial",)},
    )
    envy: float = number(
        5.0,
        -_ANY,
        _ANY,
        "Of inequity-averse agents: weight of being behind (Hughes et al. 2018, alpha).",
        used_with=_INEQUITY,
    )
    guilt: float = number(
        0.05,
        -_ANY,
        _ANY,
        "Of inequity-averse agents: weight of being ahead (Hughes et al. 2018, beta).",
        used_with=_INEQUITY,
    )
    inequity_decay: float = number(
        0.975,
        0,
        1,
        "Of inequity-averse agents: lambda of the smoothed rewards that are compared, multiplied by the discount.",
        used_with=_INEQUITY,
    )

    def replace(self, **changes: Any) -> "Hyperparams":
        """Return a copy with other numbers."""
        return dataclasses.replace(self, **changes)


@dataclasses.dataclass(frozen=True)
class ExperimentConfig:
    """A complete experiment."""

    env: EnvConfig = EnvConfig()
    network: NetworkConfig = NetworkConfig()
    influence: InfluenceConfig = InfluenceConfig()
    learner: LearnerConfig = LearnerConfig()
    hyperparams: Hyperparams = Hyperparams()
    total_steps: int = integer(
        300_000_000,
        1,
        "Environment steps of each member; rounded up to whole log intervals.",
        high=10**15,
    )
    seeds: int = integer(1, 1, "S, members trained side by side in one program.", high=2**20)
    seed: int = integer(0, 0, "Seed of the first member; the others count on from it.")
    log_interval: int = integer(20, 1, "Updates between log points.")
    checkpoint_interval: int = integer(50, 1, "Log points between checkpoints; one is always written at the end.")
    checkpoint_minutes: float = number(10.0, 0, _ANY, "Minutes after which a checkpoint is written in any case.")
    keep: int = integer(2, 1, "Newest checkpoints that stay on disk.")
    tensorboard: str = choice(
        "summary",
        ("summary", "members", "none"),
        "What TensorBoard is given: mean and quantiles over the members, each member, or nothing.",
    )

    @property
    def steps_per_update(self) -> int:
        """Environment steps of each member in one update."""
        return self.learner.num_envs * self.learner.rollout_length

    @property
    def num_updates(self) -> int:
        """Updates of the whole run, a multiple of ``log_interval``."""
        per_log = self.steps_per_update * self.log_interval
        return -(-self.total_steps // per_log) * self.log_interval

    def override(self, **settings: Any) -> "ExperimentConfig":
        """Return the configuration with other settings, each by its path or by the last part of it where that is unique.

        The game's settings go by their paths, ``"env.num_agents"`` or ``"env.params.hit_penalty"``; whether it has them is
        checked when it is made.

        Raises:
            ConfigError: there is no such setting, or there are several.

        Example:
            >>> config.override(num_envs=8, lstm_size=32, **{"env.params.hit_penalty": 0})
        """
        known = [path for path, _, _ in declared(self)]
        name, options, params, values = self.env.name, dict(self.env.options), dict(self.env.params), {}
        for path, value in settings.items():
            part, _, own = path.partition(".")
            if path == "env.name":
                name = value
            elif path.startswith("env.params."):
                params[path.removeprefix("env.params.")] = value
            elif part == "env" and own:
                options[own] = value
            else:
                values[full_path(path, known)] = whole_number(value)
        return dataclasses.replace(_rebuilt(self, values), env=EnvConfig(name, options, params))


def full_path(name: str, known: Sequence[str], what: str = "setting") -> str:
    """Return the one of the ``known`` paths that a path, or the last part of one, stands for.

    Raises:
        ConfigError: there is none, or there are several.
    """
    fitting = [name] if name in known else [path for path in known if path.endswith(f".{name}")]
    if len(fitting) != 1:
        allowed = " or ".join(fitting) if fitting else "settings, as `train --help` lists them"
        raise ConfigError(f"{name!r} is not one {what}; allowed: {allowed}.{nearest(name, list(known))}")
    return fitting[0]


def declared(config: Any, prefix: str = "") -> Iterator[tuple[str, dataclasses.Field, Any]]:
    """Yield ``(path, field, value)`` of every setting but the game's, such as ``"learner.num_envs"``."""
    for field in dataclasses.fields(config):
        value, path = getattr(config, field.name), prefix + field.name
        if field.type is EnvConfig:
            continue
        if dataclasses.is_dataclass(field.type):
            yield from declared(value, f"{path}.")
        else:
            yield path, field, value


def validate(config: ExperimentConfig) -> ExperimentConfig:
    """Return the configuration in plain numbers and texts; the game's settings are checked when it is made.

    Raises:
        ConfigError: a setting cannot be used, or is of no use with another one.
    """
    for name, kind in {field.name: field.type for field in dataclasses.fields(ExperimentConfig)}.items():
        if dataclasses.is_dataclass(kind) and not isinstance(getattr(config, name), kind):
            raise ConfigError(f"{name} is {getattr(config, name)!r}; allowed: a {kind.__name__}.")
    values = {path: checked(path, value, field.metadata["allowed"]) for path, field, value in declared(config)}
    for path, field, _ in declared(config):
        refuse_unused(path, field, values)
    config = _rebuilt(config, values)
    influence, learner = config.influence, config.learner
    if influence.control == "shuffled" and learner.num_envs < 2:
        raise ConfigError(
            "learner.num_envs is 1 with influence.control 'shuffled'; allowed with it: whole numbers from 2 up, since every "
            "environment is paid the influence of another."
        )
    if learner.algorithm == "ppo" and learner.num_envs % learner.minibatches:
        raise ConfigError(
            f"learner.ppo_minibatches is {learner.ppo_minibatches} with {learner.num_envs} environments; allowed are the "
            "divisors of learner.num_envs."
        )
    for name, size, limit in (
        ("learner.num_envs times learner.rollout_length", config.steps_per_update, INT32_MAX),
        ("seed plus seeds", config.seed + config.seeds, INT32_MAX),
        ("total_steps in updates", config.num_updates, INT32_MAX),
    ):
        if size > limit:
            raise ConfigError(f"{name} is {size}; allowed are whole numbers up to {limit}.")
    return config


def refuse_unused(path: str, field: dataclasses.Field, values: Mapping[str, Any]) -> None:
    """Raise a `ConfigError` for a setting that another one would ignore in silence; ``values`` are all of them by path."""
    used_with, unused_with = field.metadata["used_with"], field.metadata["unused_with"]
    for other in {**used_with, **unused_with}:
        value, chosen = values[path], values[other]
        used = other not in used_with or chosen in used_with[other] or is_path(chosen)
        if value != field.default and (not used or (other in unused_with and chosen == unused_with[other])):
            raise ConfigError(
                f"{path} is {value!r} with {other} {chosen!r}, which does not use it; allowed there: {field.default!r}."
            )


def code_paths(config: ExperimentConfig) -> dict[str, str]:
    """Return the settings that name code outside of this package, which to open a run of somebody's must not import."""
    values = {path: value for path, _, value in declared(config)} | {"env.name": config.env.name}
    named = {path: value if isinstance(value, tuple) else (value,) for path, value in values.items()}
    return {
        path: name
        for path, names in named.items()
        for name in names
        if is_path(name) and name.partition(":")[0].partition(".")[0] != "influence_jax"
    }


def to_dict(config: ExperimentConfig) -> dict[str, Any]:
    """Return every setting as plain data, nested as the classes are."""
    return {
        field.name: to_dict(value) if dataclasses.is_dataclass(value) else value
        for field in dataclasses.fields(config)
        for value in [getattr(config, field.name)]
    }


def to_json(config: ExperimentConfig) -> str:
    """Write every setting as indented JSON."""
    return json.dumps(to_dict(config), indent=2) + "\n"


def from_json(text: str) -> ExperimentConfig:
    """Read what `to_json` wrote.

    Raises:
        ConfigError: it is not JSON, or holds what is no setting.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"a configuration is not JSON: {error}; allowed is what `train` writes.") from None
    return _build(ExperimentConfig, values, "")


def _build(cls: type, values: Any, path: str) -> Any:
    if not isinstance(values, dict):
        raise ConfigError(f"{path.rstrip('.') or 'a configuration'} is {values!r}; allowed: an object of settings.")
    fields = {f.name: f for f in dataclasses.fields(cls)}
    arguments = {}
    for name, value in values.items():
        if name not in fields:
            raise ConfigError(
                f"{path}{name} is not a setting; allowed: {', '.join(fields)}.{nearest(name, list(fields))}"
            )
        kind = fields[name].type
        if dataclasses.is_dataclass(kind):
            value = _build(kind, value, f"{path}{name}.")
        elif kind not in (str, Any) and cls is EnvConfig and not isinstance(value, dict):
            raise ConfigError(f"{path}{name} is {value!r}; allowed: an object of settings.")
        arguments[name] = tuple(value) if isinstance(value, list) else value
    return cls(**arguments)


def _rebuilt(config: Any, values: dict[str, Any], prefix: str = "") -> Any:
    changes = {}
    for field in dataclasses.fields(config):
        value, path = getattr(config, field.name), prefix + field.name
        if dataclasses.is_dataclass(field.type) and field.type is not EnvConfig:
            changes[field.name] = _rebuilt(value, values, f"{path}.")
        elif path in values:
            changes[field.name] = values[path]
    return dataclasses.replace(config, **changes)
