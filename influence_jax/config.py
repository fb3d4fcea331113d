"""The settings of an experiment: static ones shape the program, hyper-parameters are traced numbers."""

import dataclasses
import difflib
import json
import math
from typing import Any, Literal

from flax import struct


class ConfigError(ValueError):
    """A setting that cannot be used; the message names the setting, its value and what is allowed."""


@dataclasses.dataclass(frozen=True)
class EnvConfig:
    """Which game. A setting left at None keeps the default of the game."""

    name: str = "harvest"
    """A registered name, or "package.module:Class"."""
    num_agents: int | None = None
    """N; limited by the start cells of the map."""
    horizon: int | None = None
    """Environment steps per episode."""
    layout: tuple[str, ...] | None = None
    """A map of your own, one text per row."""
    view_radius: int | None = None
    """Cells seen in each direction; 7 gives the paper's 15 x 15 window."""
    view: Literal["egocentric", "reference"] | None = None
    """Which way a view is turned; "reference" reproduces the pixels of the original games' last version."""
    beams_visible: bool | None = None
    """Whether agents see the beams of the last step."""

    def options(self) -> dict[str, Any]:
        """Return the settings that were given, as keywords for `influence_jax.make`."""
        given = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "name"}
        return {name: value for name, value in given.items() if value is not None}


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
    """Sizes of each agent's own network (section 4 of the paper's supplement)."""

    conv_channels: int = 6
    """Output channels of the 3 x 3 convolution."""
    hidden_size: int = 32
    """Units of each of the two dense layers."""
    lstm_size: int = 128
    """Units of the LSTM."""
    message_embedding: int = 32
    """Units of the linear layer between the LSTM and the messages (Table 2)."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """To what the factors of matrix products are rounded; parameters, sums and everything else are float32."""


@dataclasses.dataclass(frozen=True)
class InfluenceConfig:
    """How influence is produced and measured."""

    model: Literal["independent", "basic", "communication", "moa"] = "independent"
    """"independent" computes none; in "basic" influencers act first and are seen (section 4); in "communication" agents send
    messages (section 5); "moa" asks each agent's own model of the others (section 6)."""
    visible_actions: bool = False
    """Whether an independent agent is told the others' last actions; a basic and a moa agent always is."""
    measure: Literal["kl", "jsd", "pmi", "tv", "hellinger", "reverse_kl", "none"] = "kl"
    """How far the others' behaviour moved. "none" computes no influence and logs 0, which saves the time in a baseline."""
    num_influencers: int = 1
    """K of the basic model: agents 0 to K-1 act first and influence the rest."""
    num_messages: int = 9
    """Vocabulary of the communication model."""
    credit: Literal["cause", "effect"] = "cause"
    """Which message of the communication model is paid: the one that influenced, or the one sent when its effect shows."""
    control: Literal["none", "shuffled", "noise", "entropy", "mi"] = "none"
    """Negative control, what is paid instead at the same scale: the influence of another environment, random numbers, the
    influencer's own surprisal, or the mutual information, which does not depend on the action."""
    moa_train_only_visible: bool = True
    """Whether the model of others is trained only on agents in view (Table 3, "MOA loss only when visible")."""


@dataclasses.dataclass(frozen=True)
class LearnerConfig:
    """Shape and rules of one synchronous update."""

    algorithm: Literal["a2c", "ppo"] = "a2c"
    """One gradient step a rollout, or clipped surrogate steps over several epochs of minibatches."""
    ppo_epochs: int = 4
    """Passes over a rollout (PPO)."""
    ppo_minibatches: int = 8
    """Groups of environments in a pass (PPO); time is never shuffled."""
    shaper: Literal["individual", "prosocial", "inequity_averse"] = "individual"
    """How an agent feels about rewards, its own and the others'."""

    num_envs: int = 32
    """E, parallel environments of each member."""
    rollout_length: int = 20
    """T, environment steps between updates."""
    optimizer: Literal["rmsprop", "adam"] = "rmsprop"
    """RMSProp (decay .99, eps 1e-5) or Adam (.9, .999, eps 1e-5)."""
    value_loss: Literal["squared", "huber"] = "squared"
    """Huber has its corner at 1 in units of the scaled reward."""
    reward_scaling: Literal["none", "running_std"] = "none"
    """Divide rewards, per agent, by the running standard deviation of the discounted return (half-life 100,000 steps), never
    below 1."""


@struct.dataclass
class Hyperparams:
    """Every continuous number of the learner. Traced: a sweep over them is a vmap, never a new compilation."""

    learning_rate: float = 1e-3
    """At the start of the run; falls linearly."""
    learning_rate_end: float = 1e-5
    """At the end of the run."""
    discount: float = 0.99
    """Gamma, per environment step."""
    gae_lambda: float = 1.0
    """Lambda of the returns; 1 is the n-step return to the end of the rollout."""
    entropy_coef: float = 0.001
    """Weight of the policy's entropy bonus."""
    exploration: float = 0.0
    """Added to every head's entropy weight at the start of the run; falls linearly to 0."""
    exploration_fraction: float = 0.5
    """Fraction of the run after which ``exploration`` is 0."""
    value_coef: float = 0.5
    """Weight of the value loss."""
    ppo_clip: float = 0.2
    """How far a probability may move in one rollout's epochs, as a ratio, and a value, in scaled rewards (PPO)."""
    max_grad_norm: float = 40.0
    """Global-norm clip, per agent and per module."""
    extrinsic_weight: float = 1.0
    """Alpha, the weight of the environment's reward."""
    influence_weight: float = 0.0
    """Beta, the weight of the influence reward."""
    influencee_share: float = 0.0
    """What influencees of the basic model are paid, as a fraction of what their influencers get (Table 1: 0 or 1)."""
    influence_curriculum: float = 0.0
    """Fraction of the run over which beta rises linearly from 0."""
    moa_loss_weight: float = 1.0
    """Weight of the cross-entropy of the model of other agents."""
    message_extrinsic_weight: float = 1.0
    """Alpha of the message head, whose reward is alpha e + beta c."""
    message_loss_weight: float = 1.0
    """Weight of the message head's policy and value losses."""
    message_entropy_coef: float = 0.001
    """Weight of the message head's entropy bonus, outside the loss weight."""
    prosocial_weight: float = 0.85
    """Eta of prosocial agents: what a reward of another agent is worth to oneself."""
    envy: float = 5.0
    """Of inequity-averse agents: weight of being behind (Hughes et al. 2018, alpha)."""
    guilt: float = 0.05
    """Of inequity-averse agents: weight of being ahead (Hughes et al. 2018, beta)."""
    inequity_decay: float = 0.975
    """Of inequity-averse agents: lambda of the smoothed rewards that are compared, multiplied by the discount."""


@dataclasses.dataclass(frozen=True)
class ExperimentConfig:
    """A complete experiment."""

    env: EnvConfig = EnvConfig()
    network: NetworkConfig = NetworkConfig()
    influence: InfluenceConfig = InfluenceConfig()
    learner: LearnerConfig = LearnerConfig()
    hyperparams: Hyperparams = Hyperparams()
    total_steps: int = 300_000_000
    """Environment steps of each member; rounded up to whole log intervals."""
    seeds: int = 1
    """S, members trained side by side in one program."""
    seed: int = 0
    """Seed of the first member; the others count on from it."""
    log_interval: int = 20
    """Updates between log points."""
    checkpoint_interval: int = 50
    """Log points between checkpoints; one is always written at the end."""

    @property
    def steps_per_update(self) -> int:
        """Environment steps of each member in one update."""
        return self.learner.num_envs * self.learner.rollout_length

    @property
    def num_updates(self) -> int:
        """Updates of the whole run, a multiple of ``log_interval``."""
        per_log = self.steps_per_update * self.log_interval
        return math.ceil(self.total_steps / per_log) * self.log_interval


def to_json(config: ExperimentConfig) -> str:
    """Write every setting as indented JSON."""
    return json.dumps(dataclasses.asdict(config), indent=2) + "\n"


def from_json(text: str) -> ExperimentConfig:
    """Read what `to_json` wrote; refuse unknown settings."""
    return _build(ExperimentConfig, json.loads(text), "")


def nearest(name: str, allowed: list[str]) -> str:
    """Return ' Did you mean ...?' for a misspelt name, or nothing."""
    close = difflib.get_close_matches(name, allowed, n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


_POSITIVE_INTS = (
    "env.num_agents",
    "env.horizon",
    "env.view_radius",
    "network.conv_channels",
    "network.hidden_size",
    "network.lstm_size",
    "network.message_embedding",
    "influence.num_influencers",
    "influence.num_messages",
    "learner.ppo_epochs",
    "learner.ppo_minibatches",
    "learner.num_envs",
    "learner.rollout_length",
    "total_steps",
    "seeds",
    "log_interval",
    "checkpoint_interval",
)
_RANGES = {
    "learning_rate": (0, math.inf),
    "learning_rate_end": (0, math.inf),
    "discount": (0, 1),
    "gae_lambda": (0, 1),
    "entropy_coef": (0, math.inf),
    "exploration": (0, math.inf),
    "exploration_fraction": (0, 1),
    "value_coef": (0, math.inf),
    "max_grad_norm": (0, math.inf),
    "extrinsic_weight": (-math.inf, math.inf),
    "influence_weight": (-math.inf, math.inf),
    "influence_curriculum": (0, 1),
    "moa_loss_weight": (0, math.inf),
    "influencee_share": (0, math.inf),
    "message_extrinsic_weight": (-math.inf, math.inf),
    "message_loss_weight": (0, math.inf),
    "message_entropy_coef": (0, math.inf),
    "prosocial_weight": (-math.inf, math.inf),
    "envy": (-math.inf, math.inf),
    "guilt": (-math.inf, math.inf),
    "inequity_decay": (0, 1),
    "ppo_clip": (0, math.inf),
}
_CHOICES = {
    "env.view": ("egocentric", "reference"),
    "network.precision": ("float32", "bfloat16"),
    "influence.model": ("independent", "basic", "communication", "moa"),
    "influence.measure": ("kl", "jsd", "pmi", "tv", "hellinger", "reverse_kl", "none"),
    "influence.credit": ("cause", "effect"),
    "influence.control": ("none", "shuffled", "noise", "entropy", "mi"),
    "learner.algorithm": ("a2c", "ppo"),
    "learner.shaper": ("individual", "prosocial", "inequity_averse"),
    "learner.optimizer": ("rmsprop", "adam"),
    "learner.value_loss": ("squared", "huber"),
    "learner.reward_scaling": ("none", "running_std"),
}


# Settings that only some models look at; another model would ignore them in silence.
_USED_BY = {
    "visible_actions": ("independent",),
    "measure": ("basic", "communication", "moa"),
    "num_influencers": ("basic",),
    "num_messages": ("communication",),
    "credit": ("communication",),
    "control": ("basic", "communication", "moa"),
    "moa_train_only_visible": ("moa",),
}


def validate(config: ExperimentConfig) -> None:
    """Raise `ConfigError` for the first setting that cannot work."""
    for path in _POSITIVE_INTS:
        value = _get(config, path)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ConfigError(f"{path} is {value!r}; allowed are whole numbers from 1 up.")
    if isinstance(config.seed, bool) or not isinstance(config.seed, int) or config.seed < 0:
        raise ConfigError(f"seed is {config.seed!r}; allowed are whole numbers from 0 up.")
    for path, allowed in _CHOICES.items():
        value = _get(config, path)
        if value is not None and value not in allowed:
            raise ConfigError(
                f"{path} is {value!r}; allowed: {', '.join(allowed)}.{nearest(str(value), list(allowed))}"
            )
    for name, (low, high) in _RANGES.items():
        value = getattr(config.hyperparams, name)
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not low <= value <= high
            or math.isinf(value)
        ):
            limits = f"from {low} to {high}" if math.isfinite(high) else f"from {low} up" if low == 0 else ""
            raise ConfigError(f"hyperparams.{name} is {value!r}; allowed are finite numbers {limits}".rstrip() + ".")
    for name, models in _USED_BY.items():
        value, unset = getattr(config.influence, name), getattr(InfluenceConfig, name)
        if value != unset and config.influence.model not in models:
            raise ConfigError(
                f"influence.{name} is {value!r} with influence.model {config.influence.model!r}, which does not use it; "
                f"allowed there: {unset!r}."
            )
    if config.influence.model == "moa" and config.influence.measure == "pmi":
        raise ConfigError(
            "influence.measure is 'pmi' with influence.model 'moa'; allowed with it: kl, jsd (PMI needs the others' next "
            "actions, which are not known when the reward is paid)."
        )
    learner = config.learner
    if learner.algorithm == "ppo" and learner.num_envs % learner.ppo_minibatches:
        raise ConfigError(
            f"learner.ppo_minibatches is {learner.ppo_minibatches} with {learner.num_envs} environments; allowed are the "
            "divisors of learner.num_envs."
        )
    if config.influence.measure == "none" and config.hyperparams.influence_weight != 0:
        raise ConfigError(
            f"hyperparams.influence_weight is {config.hyperparams.influence_weight!r} with influence.measure 'none', which "
            "computes no influence; allowed with it: 0."
        )
    if config.influence.model == "independent" and config.hyperparams.influence_weight != 0:
        raise ConfigError(
            f"hyperparams.influence_weight is {config.hyperparams.influence_weight!r} with influence.model 'independent', "
            "which computes no influence; allowed with it: 0."
        )


def _get(config: ExperimentConfig, path: str) -> Any:
    for name in path.split("."):
        config = getattr(config, name)
    return config


def _build(cls: type, values: dict[str, Any], path: str) -> Any:
    fields = {f.name: f for f in dataclasses.fields(cls)}
    arguments = {}
    for name, value in values.items():
        if name not in fields:
            raise ConfigError(f"{path}{name} is not a setting.{nearest(name, list(fields))}")
        kind = fields[name].type
        if dataclasses.is_dataclass(kind):
            value = _build(kind, value, f"{path}{name}.")
        arguments[name] = tuple(value) if isinstance(value, list) else value
    return cls(**arguments)
