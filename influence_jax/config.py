"""The settings of an experiment: static settings shape the program, hyper-parameters are traced numbers."""

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_origin

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
    plugins,
    settings_repr,
    short_repr,
    texts,
    whole_number,
)

_MODEL = "influence.model"
_SOCIAL = {_MODEL: ("basic", "communication", "moa", "intervention")}
_TALKING = {_MODEL: ("communication",)}
_PPO = {"learner.algorithm": ("ppo",)}
_INEQUITY = {"learner.shaper": ("inequity_averse",)}
_UNMEASURED = {"influence.measure": "none"}
_ANY = math.inf
_Values = Mapping[str, Any] | tuple[()]  # a default may not be a mapping, which could be changed
ENVS = "influence_jax.envs"  # the group of entry points of games


@dataclasses.dataclass(frozen=True, init=False)
class EnvConfig:
    """A game, and the settings in which it differs from its defaults.

    ``options`` are static fields of the game, such as ``num_agents``, ``horizon`` or ``layout``. ``params`` are its traced
    numbers, such as ``hit_penalty``. Each game defines its own; ``influence-jax envs`` lists them.

    >>> influence_jax.EnvConfig("cleanup", num_agents=3, params={"hit_penalty": 0}).options
    {'num_agents': 3}
    """

    name: str
    options: Mapping[str, Any]
    params: Mapping[str, Any]

    def __init__(self, name: str = "harvest", options: _Values = (), params: _Values = (), **more_options: Any):
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "options", _plain("env.options", options) | _plain("env.options", more_options))
        object.__setattr__(self, "params", _plain("env.params", params))

    def __repr__(self) -> str:
        given = {**self.options, **({"params": self.params} if self.params else {})}
        return f"EnvConfig({', '.join([repr(self.name), *(f'{name}={short_repr(value)}' for name, value in given.items())])})"

    def __hash__(self) -> int:
        return hash((self.name, tuple(sorted(self.options)), tuple(sorted(self.params))))


def _plain(path: str, values: Any) -> dict[str, Any]:
    """Turn lists into tuples, so that a configuration read from JSON equals the one written."""
    values = {} if isinstance(values, tuple) and not values else values
    if not isinstance(values, Mapping):
        raise ConfigError(f"{path} is {values!r}; allowed: a mapping of names to values.")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
    """The network of each agent and its sizes (section 4 of the paper's supplement).

    >>> influence_jax.NetworkConfig("gru", core_size=64).critic
    'separate'
    """

    __repr__ = settings_repr

    name: str = choice(
        "lstm",
        "influence_jax.networks.agent:NETWORKS",
        'The network: convolution, dense layers and a core, which is an LSTM ("lstm", as in the paper), a GRU ("gru") or a layer '
        'without memory ("feedforward"). Your own receives the spec and these settings.',
        group="influence_jax.networks",
    )
    conv_channels: int = integer(6, 1, "Output channels of the 3 x 3 convolution.")
    hidden_size: int = integer(32, 1, "Units of each of the two dense layers.")
    core_size: int = integer(128, 1, "Units of the core: LSTM, GRU or feed-forward layer.")
    message_embedding: int = integer(
        32, 1, "Units of the linear layer between the core and the message head (Table 2).", used_with=_TALKING
    )
    critic: str = choice(
        "separate",
        ("shared", "separate"),
        'Where values are read: "shared" reads them from the recurrent core of the policy, so their gradient reaches everything '
        '(as in the paper); "separate" gives them their own dense layers and core on the same encoded image, where their '
        "gradient stops.",
    )
    normalise_features: bool = flag(
        True,
        "Whether to apply a layer norm to the features that enter a recurrent core (the paper has none).",
    )
    moa_encoder: str = choice(
        "shared",
        ("shared", "own", "perspective"),
        'What the convolution of the model of others is, and what it sees: the policy\'s ("shared", as in the paper), its own '
        '("own"), or its own of the cells around each agent, turned to where that one looks ("perspective"; needs '
        "env.headings_visible).",
    )
    precision: str = choice(
        "float32",
        ("float32", "bfloat16"),
        "Precision of the factors of matrix products. Parameters, sums and everything else stay in float32.",
    )


@dataclasses.dataclass(frozen=True)
class InfluenceConfig:
    """How influence arises and how it is measured.

    >>> influence_jax.InfluenceConfig("communication", num_messages=8).measure
    'kl'
    """

    __repr__ = settings_repr

    model: str = choice(
        "independent",
        "influence_jax.influence:MODELS",
        '"independent": no influence. "basic": influencers act first and the others see their actions (section 4). '
        '"communication": agents send messages (section 5). "moa": each agent has a model of the other agents (section 6). '
        '"intervention": all actions of one agent, drawn at random in every step, are tried in the game itself, and it is paid N '
        "times its influence, so that in expectation every agent is paid its own.",
        group="influence_jax.models",
    )
    visible_actions: bool = flag(
        False,
        "Whether agents of the models independent and intervention observe the others' last actions. Basic and moa agents always "
        "do.",
        used_with={_MODEL: ("independent", "intervention")},
    )
    measure: str = choice(
        "kl",
        "influence_jax.influence.measures:MEASURES",
        'How to measure the change in what the others do. "none" skips the computation and logs 0, which '
        "saves time in a baseline.",
        group="influence_jax.measures",
        others=("none",),
        used_with=_SOCIAL,
    )
    num_influencers: int = integer(
        1,
        1,
        "K in the basic model: agents 0 to K-1 act first and influence the rest.",
        used_with={_MODEL: ("basic",)},
    )
    num_messages: int = integer(9, 1, "Vocabulary size of the communication model.", used_with=_TALKING)
    credit: str = choice(
        "cause",
        ("cause", "effect"),
        'Which message is rewarded for influence: the one that had the effect ("cause"), or the one sent when the effect shows '
        '("effect").',
        used_with=_TALKING,
        unused_with=_UNMEASURED,
    )
    listening_loss: bool = flag(
        False,
        "Whether agents are also trained to act on the messages that they hear (positive listening, Eccles et al. 2019), with "
        "the weight hyperparams.listening_weight. Runs their policies once more in every gradient step.",
        used_with=_TALKING,
    )
    control: str = choice(
        "none",
        "influence_jax.influence.controls:CONTROLS",
        "Negative control that replaces the influence reward at the same scale: the influence of another environment "
        '("shuffled"), random numbers ("noise"), the influencer\'s own surprisal ("entropy"), the mutual information, which does '
        'not depend on the action ("mi"), or a bonus for some actions ("act_bonus").',
        used_with=_SOCIAL,
        unused_with=_UNMEASURED,
    )
    bonus_actions: tuple[str, ...] = texts(
        (),
        "The actions that the control act_bonus pays for, by name; without any, those that draw a beam.",
        used_with={"influence.control": ("act_bonus",)},
    )
    pay: str = choice(
        "weight",
        ("weight", "income_share"),
        "What sets the size of the influence reward: hyperparams.influence_weight, or hyperparams.income_share, where the weight "
        "follows what agents earn and how much influence they have.",
        used_with=_SOCIAL,
        unused_with=_UNMEASURED,
    )
    moa_train_only_visible: bool = flag(
        True,
        'Whether to train the model of others only on agents in view (Table 3, "MOA loss only when visible").',
        used_with={_MODEL: ("moa",)},
    )
    moa_marginal: str = choice(
        "policy",
        ("policy", "released"),
        "What a model of others compares its prediction with: its average over the agent's own alternatives under the agent's "
        'own policy ("policy", equation 1), or what public code computed in its place, which pays without any influence '
        '("released", docs/errata.md).',
        used_with={_MODEL: ("moa",)},
        unused_with=_UNMEASURED,
    )


@dataclasses.dataclass(frozen=True)
class LearnerConfig:
    """Shapes and algorithm of one synchronous update.

    >>> influence_jax.LearnerConfig(num_envs=64, rollout_length=20).algorithm
    'a2c'
    """

    __repr__ = settings_repr

    algorithm: str = choice(
        "a2c",
        "influence_jax.learner.algorithms:ALGORITHMS",
        '"a2c": one gradient step per rollout. "ppo": clipped surrogate steps over epochs of minibatches.',
    )
    ppo_epochs: int = integer(4, 1, "Passes over a rollout (PPO).", used_with=_PPO)
    ppo_minibatches: int = integer(
        8,
        1,
        "Minibatches per pass (PPO), each a group of environments; at most num_envs. Time is never shuffled.",
        used_with=_PPO,
    )
    shaper: str = choice(
        "individual",
        "influence_jax.rewards:SHAPERS",
        "How all agents' environment rewards are combined into each agent's reward.",
        group="influence_jax.shapers",
    )
    observe_rewards: bool = flag(
        False,
        "Whether inequity-averse agents observe everybody's smoothed rewards, divided by 10, in addition to the image "
        "(Hughes et al. 2018). While fines are softened, so are those.",
        used_with=_INEQUITY,
    )
    num_envs: int = integer(32, 1, "E, parallel environments per member.")
    rollout_length: int = integer(20, 1, "T, environment steps between updates.")
    optimizer: str = choice(
        "rmsprop",
        "influence_jax.learner.optimizer:OPTIMIZERS",
        "RMSProp (decay .99, eps 2.5e-8 inside the root), or Adam (.9, .999, eps 1e-8), which moves the biases of heads 20 times "
        "as far.",
        group="influence_jax.optimizers",
    )
    share_parameters: bool = flag(
        False,
        "Whether all agents have the same weights, which learn from the mean of their gradients. Agents are told apart by what "
        "they see, such as their own colours.",
    )
    reward_scaling: str = choice(
        "none",
        ("none", "running_std"),
        'What rewards are divided by, per agent and head: nothing ("none"), or the running standard deviation of the discounted '
        'return, never below 1, with a half-life of 100,000 steps ("running_std").',
    )
    diagnostics: bool = flag(
        False,
        "Whether to log the share of each loss term in the gradient of the encoder and the action head. Costs one backward pass "
        "per term.",
    )
    metrics: tuple[str, ...] = texts(
        (),
        'Your own metrics, each "package.module:function" of a rollout. Their means over valid steps are logged.',
        paths=True,
    )

    @property
    def gradient_steps(self) -> int:
        """Gradient steps per update."""
        return self.ppo_epochs * self.minibatches if self.algorithm == "ppo" else 1

    @property
    def minibatches(self) -> int:
        """Gradient steps in one PPO pass over a rollout."""
        return min(self.ppo_minibatches, self.num_envs)


@dataclasses.dataclass(frozen=True)
class Hyperparams:
    """All continuous numbers of the learner. They are traced, so a sweep over them is a vmap and never recompiles.

    In a run each is f32[N], one value per agent, and the members of a population may differ in all of them. ``own`` holds the
    numbers that a shaper or an influence model of your own declares, by name.

    >>> influence_jax.Hyperparams(influence_weight=2.5).replace(discount=0.95).influence_weight
    2.5
    """

    __repr__ = settings_repr

    learning_rate: float = number(
        1e-3, 0, _ANY, "Learning rate at the start of the run; decays linearly to learning_rate_end."
    )
    learning_rate_end: float = number(1e-5, 0, _ANY, "Learning rate at the end of the run.")
    discount: float = number(0.99, 0, 1, "Gamma, per environment step.")
    gae_lambda: float = number(1.0, 0, 1, "Lambda of the returns; 1 gives the n-step return to the end of the rollout.")
    entropy_coef: float = number(
        0.001,
        0,
        _ANY,
        "Weight of the policy's entropy bonus, in rewards per nat; with PPO, in standard deviations of the advantage per nat.",
    )
    exploration: float = number(
        0.0,
        0,
        _ANY,
        "Extra entropy weight of every head at the start of the run, in the unit of its entropy weight; decays linearly to 0.",
    )
    exploration_fraction: float = number(
        0.5, 0, 1, "Fraction of the run after which exploration reaches 0.", unused_with={"hyperparams.exploration": 0}
    )
    value_coef: float = number(
        0.5,
        0,
        _ANY,
        "Weight of the value loss. It is in squared scaled rewards, the policy loss in scaled rewards.",
    )
    ppo_clip: float = number(
        0.2,
        0,
        _ANY,
        "PPO's clip range: of the probability ratio, and of the change in value, in scaled rewards.",
        used_with=_PPO,
    )
    max_grad_norm: float = number(
        40.0, 0, _ANY, "Global-norm gradient clip, per agent and per module, in scaled rewards."
    )
    extrinsic_weight: float = number(1.0, -_ANY, _ANY, "Alpha, the weight of the environment's reward.")
    fine_softening: float = number(
        0.0,
        0,
        1,
        "Fraction of the run over which fines ramp up to full size: a reward r below -1 counts as -|r|^p, and p rises linearly "
        "from 0 to 1.",
    )
    influence_weight: float = number(
        0.0,
        -_ANY,
        _ANY,
        "Beta, the weight of the influence reward, in rewards per nat.",
        used_with=_SOCIAL,
        unused_with=_UNMEASURED | {"influence.pay": "income_share"},
    )
    income_share: float = number(
        0.0,
        0,
        _ANY,
        "What influence, or its control, pays on average, as a fraction of the mean positive income: the environment's rewards "
        "as shaped, where they are above 0. Means are over all agents and some hundred updates; influence below 1e-6 nats a "
        "step counts as that much.",
        used_with={"influence.pay": ("income_share",)},
    )
    influencee_share: float = number(
        0.0,
        0,
        _ANY,
        "Reward of influencees in the basic model, as a fraction of their influencers' reward (Table 1: 0 or 1).",
        used_with={_MODEL: ("basic",)},
    )
    influence_curriculum: float = number(
        0.0,
        0,
        1,
        "Fraction of the run over which beta, or the share of income, rises linearly from 0 to its value.",
        used_with=_SOCIAL,
    )
    moa_loss_weight: float = number(
        1.0,
        0,
        _ANY,
        "Weight of the model of others' cross-entropy, in rewards per nat; with PPO, in standard deviations of the advantage.",
        used_with={_MODEL: ("moa",)},
    )
    message_extrinsic_weight: float = number(
        1.0, -_ANY, _ANY, "Alpha of the message head, whose reward is alpha e + beta c.", used_with=_TALKING
    )
    message_loss_weight: float = number(
        1.0,
        0,
        _ANY,
        "Weight of the message head's policy and value losses relative to those of the action head.",
        used_with=_TALKING,
    )
    message_entropy_coef: float = number(
        0.001,
        0,
        _ANY,
        "Weight of the message head's entropy bonus, not multiplied by message_loss_weight; unit as for entropy_coef.",
        used_with=_TALKING,
    )
    listening_weight: float = number(
        0.0,
        0,
        _ANY,
        "Weight of the listening loss, in rewards per unit of the L1 distance, which is at most 2; with PPO, in standard "
        "deviations of the advantage.",
        unused_with={"influence.listening_loss": False},
    )
    prosocial_weight: float = number(
        0.85,
        -_ANY,
        _ANY,
        "Eta, the weight that prosocial agents give to the rewards of the others.",
        used_with={"learner.shaper": ("prosocial",)},
    )
    envy: float = number(
        5.0,
        -_ANY,
        _ANY,
        "Inequity aversion: weight of the penalty for earning less than others (alpha in Hughes et al. 2018).",
        used_with=_INEQUITY,
    )
    guilt: float = number(
        0.05,
        -_ANY,
        _ANY,
        "Inequity aversion: weight of the penalty for earning more than others (beta in Hughes et al. 2018).",
        used_with=_INEQUITY,
    )
    inequity_decay: float = number(
        0.975,
        0,
        1,
        "Inequity aversion: lambda of the smoothed rewards, which decay by discount times lambda.",
        used_with=_INEQUITY,
    )
    # Numbers that parts of your own declare; a mapping has no hash.
    own: Mapping[str, float] = dataclasses.field(default_factory=dict, hash=False)

    def replace(self, **changes: Any) -> "Hyperparams":
        """Return a copy with some values changed."""
        return dataclasses.replace(self, **changes)


@dataclasses.dataclass(frozen=True)
class ExperimentConfig:
    """A complete experiment: game, network, influence, learner, hyper-parameters, and the length of the run.

    >>> config = influence_jax.presets.get("harvest-moa", profile="small")
    >>> config.influence.model, config.learner.num_envs
    ('moa', 64)
    """

    __repr__ = settings_repr

    env: EnvConfig = EnvConfig()
    network: NetworkConfig = NetworkConfig()
    influence: InfluenceConfig = InfluenceConfig()
    learner: LearnerConfig = LearnerConfig()
    hyperparams: Hyperparams = Hyperparams()
    total_steps: int = integer(
        300_000_000,
        1,
        "Environment steps per member; rounded up to whole log intervals.",
        high=10**15,
    )
    seeds: int = integer(
        1,
        1,
        "Number of seeds. Each is a member, or one member for each of the settings that members differ in, and all members train "
        "side by side in one program.",
        high=2**20,
    )
    seed: int = integer(0, 0, "Seed of the first member; the next members take seed + 1, seed + 2, ...")
    log_interval: int = integer(20, 1, "Updates between log points.")
    checkpoint_interval: int = integer(50, 1, "Log points between checkpoints. The end of the run always writes one.")
    checkpoint_minutes: float = number(10.0, 0, _ANY, "Maximum minutes between checkpoints.")
    keep: int = integer(2, 1, "Number of checkpoints to keep on disk, newest first.")
    tensorboard: str = choice(
        "summary",
        ("summary", "members", "none"),
        'What goes to TensorBoard: mean and quantiles over members ("summary"), each member ("members"), or nothing ("none").',
    )
    loggers: tuple[str, ...] = texts(
        (),
        'Where log points go beside the usual files and TensorBoard: a table that is kept up to date, metrics.csv ("csv"), and '
        'Weights & Biases, which gets each member with tensorboard "members" and otherwise mean and quantiles ("wandb").',
        table=("csv", "wandb"),
    )

    @property
    def steps_per_update(self) -> int:
        """Environment steps per member in one update."""
        return self.learner.num_envs * self.learner.rollout_length

    @property
    def num_updates(self) -> int:
        """Updates in the whole run, a multiple of ``log_interval``."""
        per_log = self.steps_per_update * self.log_interval
        return -(-self.total_steps // per_log) * self.log_interval

    def override(self, **settings: Any) -> "ExperimentConfig":
        """Return a copy with some settings changed, each named by its path or, where unique, the last part of its path.

        Name the game's settings by their full paths, ``"env.num_agents"`` or ``"env.params.hit_penalty"``, and numbers of your
        own parts as ``"own.NAME"``. They are checked when the game and the parts are made.

        Raises:
            ConfigError: a name matches no setting, or several.

        Example:
            >>> config.override(num_envs=8, core_size=32, **{"env.params.hit_penalty": 0})
        """
        known = [path for path, _, _ in declared(self)]
        name, options, params, values = self.env.name, dict(self.env.options), dict(self.env.params), {}
        numbers = dict(self.hyperparams.own)
        for path, value in settings.items():
            part, _, own = path.partition(".")
            if path == "env.name":
                name = value
            elif path.startswith("env.params."):
                params[path.removeprefix("env.params.")] = value
            elif path.startswith(("own.", "hyperparams.own.")):
                numbers[path.rpartition("own.")[2]] = value
            elif part == "env" and own:
                options[own] = value
            else:
                values[full_path(path, known)] = whole_number(value)
        changed = _rebuilt(self, values)
        hyperparams = changed.hyperparams.replace(own=numbers)
        return dataclasses.replace(changed, env=EnvConfig(name, options, params), hyperparams=hyperparams)


def full_path(name: str, known: Sequence[str], what: str = "setting") -> str:
    """Return the known path that a name stands for: the path itself, or its last part where that is unique.

    Raises:
        ConfigError: the name matches no path, or several.
    """
    fitting = [name] if name in known else [path for path in known if path.endswith(f".{name}")]
    if len(fitting) != 1:
        problem = f"names more than one {what}" if fitting else f"is not a {what}"
        listed = "the settings that `train --help` lists, the game's by their paths, such as env.num_agents"
        allowed = " or ".join(fitting) if fitting else listed
        raise ConfigError(f"{name!r} {problem}; allowed: {allowed}.{nearest(name, list(known))}")
    return fitting[0]


def declared(config: Any, prefix: str = "") -> Iterator[tuple[str, dataclasses.Field, Any]]:
    """Yield ``(path, field, value)`` of every setting except those of games and of your own parts.

    A path is such as ``"learner.num_envs"``.
    """
    for field in dataclasses.fields(config):
        value, path = getattr(config, field.name), prefix + field.name
        if field.type is EnvConfig:
            continue
        if dataclasses.is_dataclass(field.type):
            yield from declared(value, f"{path}.")
        elif "allowed" in field.metadata:
            yield path, field, value


def validate(config: ExperimentConfig) -> ExperimentConfig:
    """Check every setting except the game's, and return the configuration as plain numbers and strings.

    Raises:
        ConfigError: a value is not allowed, or has no effect in combination with another setting.
    """
    for name, kind in {field.name: field.type for field in dataclasses.fields(ExperimentConfig)}.items():
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and not isinstance(getattr(config, name), kind):
            raise ConfigError(f"{name} is {getattr(config, name)!r}; allowed: an instance of {kind.__name__}.")
    values = {path: checked(path, value, field.metadata["allowed"]) for path, field, value in declared(config)}
    for path, field, _ in declared(config):
        refuse_unused(path, field, values)
    config = _rebuilt(config, values)
    influence, learner = config.influence, config.learner
    if influence.control == "shuffled" and learner.num_envs < 2:
        raise ConfigError(
            "learner.num_envs is 1 with influence.control 'shuffled', which pays each environment the influence of another; "
            "allowed: whole numbers from 2 up."
        )
    if influence.pay == "income_share" and influence.measure == "pmi":
        raise ConfigError(
            "influence.measure is 'pmi' with influence.pay 'income_share', but its mean may be 0 or below, so that no weight "
            "makes it a share of income; allowed: measures that are never negative, such as kl."
        )
    if learner.algorithm == "ppo" and learner.num_envs % learner.minibatches:
        raise ConfigError(
            f"learner.ppo_minibatches is {learner.ppo_minibatches} with learner.num_envs {learner.num_envs}; allowed: "
            "divisors of learner.num_envs."
        )
    for name, size, limit in (
        ("learner.num_envs times learner.rollout_length", config.steps_per_update, INT32_MAX),
        ("seed plus seeds", config.seed + config.seeds, INT32_MAX),
        ("total_steps in updates", config.num_updates, INT32_MAX),
    ):
        if size > limit:
            raise ConfigError(f"{name} is {size}; allowed: whole numbers up to {limit}.")
    return config


def refuse_unused(path: str, field: dataclasses.Field, values: Mapping[str, Any]) -> None:
    """Raise a `ConfigError` for a setting that another setting leaves without effect; ``values`` holds all by path."""
    used_with, unused_with = field.metadata["used_with"], field.metadata["unused_with"]
    for other in {**used_with, **unused_with}:
        value, chosen = values[path], values[other]
        used = other not in used_with or chosen in used_with[other] or is_path(chosen)
        if value != field.default and (not used or (other in unused_with and chosen == unused_with[other])):
            raise ConfigError(
                f"{path} is {value!r}, but {other} {chosen!r} does not use it; allowed: {field.default!r}."
            )


def code_paths(config: ExperimentConfig) -> dict[str, str]:
    """Return the settings that name code outside this package, which opening somebody else's run must not import."""
    values = {path: value for path, _, value in declared(config)} | {"env.name": config.env.name}
    return {path: name for path, value in values.items() for name in foreign_names(path, value)}


def foreign_names(path: str, value: Any) -> list[str]:
    """Return what names code outside this package in a setting's value: paths, and names that installed packages register."""

    def is_foreign(name: Any) -> bool:
        if is_path(name):
            return name.partition(":")[0].partition(".")[0] != "influence_jax"
        return isinstance(name, str) and path in GROUPS and name in plugins(GROUPS[path])

    return [name for name in (value if isinstance(value, tuple) else (value,)) if is_foreign(name)]


GROUPS = {"env.name": ENVS} | {  # of entry points, by the setting whose names they add
    path: field.metadata["allowed"].group
    for path, field, _ in declared(ExperimentConfig())
    if getattr(field.metadata["allowed"], "group", "")
}


def to_dict(config: Any) -> dict[str, Any]:
    """Return every setting as nested plain data."""
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
        ConfigError: the text is not valid JSON, or names an unknown setting.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"the configuration is not valid JSON: {error}; allowed: what `train` writes.") from None
    return _build(ExperimentConfig, values, "")


def _build(cls: type, values: Any, path: str) -> Any:
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path.rstrip('.') or 'the configuration'} is {values!r}; allowed: a JSON object of settings."
        )
    fields = {f.name: f for f in dataclasses.fields(cls)}
    arguments = {}
    for name, value in values.items():
        if name not in fields:
            raise ConfigError(
                f"{path}{name} is not a setting; allowed: {', '.join(fields)}.{nearest(name, list(fields))}"
            )
        kind = fields[name].type
        if isinstance(kind, type) and dataclasses.is_dataclass(kind):
            value = _build(kind, value, f"{path}{name}.")
        elif get_origin(kind) is Mapping and not isinstance(value, dict):
            raise ConfigError(f"{path}{name} is {value!r}; allowed: a JSON object of settings.")
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
