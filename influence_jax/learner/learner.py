"""The learner: a configuration turned into pure functions."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import optax

from influence_jax import envs, influence
from influence_jax.config import GROUPS, ConfigError, ExperimentConfig, code_paths, validate
from influence_jax.envs.base import Environment
from influence_jax.influence.controls import CONTROLS, Control
from influence_jax.influence.model import InfluenceModel
from influence_jax.learner.algorithms import A2C, ALGORITHMS, PPO
from influence_jax.learner.numbers import declared_numbers, with_own_numbers
from influence_jax.learner.optimizer import OPTIMIZERS
from influence_jax.networks.agent import NETWORKS
from influence_jax.networks.protocol import Network
from influence_jax.rewards import SHAPERS, Shaper
from influence_jax.settings import built, implementation, in_full
from influence_jax.types import Trajectory

SMALLEST_VIEW = 3  # side of the view in cells
Metric = Callable[[Trajectory], dict[str, jax.Array]]  # f32[T,E,...] each, averaged over valid steps


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Learner:
    """The static parts of an experiment, a static argument of all compiled functions; from `make_learner`.

    Any part may be replaced by your own; all else follows from the configuration. If you replace ``env_params``, or a part by one
    that declares numbers, the configuration is updated to match. Two learners are equal if
    their configurations are equal and they use no code from outside this package, so that they share compiled programs.

    >>> learner = influence_jax.make_learner(influence_jax.presets.get("harvest-moa", "small"))
    >>> learner = dataclasses.replace(learner, optimizer=optax.scale_by_adam())
    """

    config: ExperimentConfig
    env: Environment
    env_params: Any  # the game's parameters, unless a member has its own
    model: InfluenceModel
    network: Network
    optimizer: optax.GradientTransformation  # scales gradients; the learning rate is applied after it
    shaper: Shaper
    algorithm: A2C | PPO
    control: Control  # what is paid in place of influence
    metrics: tuple[Metric, ...]
    bonus_actions: tuple[int, ...]  # that the control `act_bonus` pays for
    configured: dict[str, Any] = dataclasses.field(
        default_factory=dict, repr=False
    )  # the parts as built from the configuration and, under "settings", the settings they were built from

    def __post_init__(self) -> None:
        params = envs.numbers(self.env_params)
        if params != self.config.env.params:
            config = dataclasses.replace(self.config, env=dataclasses.replace(self.config.env, params=params))
            object.__setattr__(self, "config", config)
        object.__setattr__(self, "config", with_own_numbers(self.config, self.numbers))

    @property
    def num_envs(self) -> int:
        """E, parallel environments per member."""
        return self.config.learner.num_envs

    @property
    def rollout_length(self) -> int:
        """T, environment steps between updates."""
        return self.config.learner.rollout_length

    @property
    def log_interval(self) -> int:
        """Updates between log points."""
        return self.config.log_interval

    @property
    def observe_rewards(self) -> bool:
        """Whether agents observe all agents' smoothed rewards."""
        return self.config.learner.observe_rewards

    @property
    def share_parameters(self) -> bool:
        """Whether all agents have the same weights."""
        return self.config.learner.share_parameters

    @property
    def scale_rewards(self) -> bool:
        """Whether rewards are divided by the running standard deviation of the return."""
        return self.config.learner.reward_scaling == "running_std"

    @property
    def pays_income_share(self) -> bool:
        """Whether the influence weight follows what agents earn."""
        return self.config.influence.pay == "income_share"

    @property
    def diagnostics(self) -> bool:
        """Whether gradients are reported by loss term."""
        return self.config.learner.diagnostics

    @functools.cached_property
    def numbers(self) -> dict[str, dataclasses.Field]:
        """The numbers that the shaper and the influence model declare, ``hyperparams.own`` by name."""
        return declared_numbers(
            {
                f"learner.shaper {self.config.learner.shaper!r}": self.shaper,
                f"influence.model {self.config.influence.model!r}": self.model,
            }
        )

    @property
    def replaced(self) -> tuple[str, ...]:
        """The names of the parts that differ from those of the configuration."""
        parts = tuple(name for name in self.configured if name != "settings")
        changed = self.configured and self.configured["settings"] != _settings_of_parts(self.config)
        names = tuple(name for name in parts if getattr(self, name) is not self.configured[name])
        return (*names, "config") if changed else names

    @functools.cached_property
    def _identity(self) -> Any:
        own_code = (
            self.replaced or not self.configured or code_paths(self.config)
        )  # the code may have changed next time
        return id(self) if own_code else self.config

    @functools.cached_property
    def template(self) -> "Learner":
        """This learner reduced to what determines its programs: no traced values, and no settings that only the host reads."""
        if self._identity is not self.config:
            return self
        config = self.config
        static = ExperimentConfig(config.env, config.network, config.influence, config.learner)
        static = dataclasses.replace(static, log_interval=config.log_interval)
        with jax.ensure_compile_time_eval():  # the first caller may be tracing
            return dataclasses.replace(self, config=static, env_params=self.env.default_params)

    def __repr__(self) -> str:
        config, num_agents = self.config, self.env.spec.num_agents
        own = f", {' and '.join(self.replaced)} of your own" if self.replaced else ""
        parts = f"influence.model {config.influence.model!r}, network.name {config.network.name!r}"
        return f"Learner of {num_agents} agents in {config.env.name!r}, {parts}{own}"

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Learner) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)


def make_learner(config: ExperimentConfig) -> Learner:
    """Validate a configuration and build its learner.

    The configuration of the learner is complete: it includes all options and parameters of the game.

    Args:
        config: such as `influence_jax.presets.get` returns.

    Raises:
        ConfigError: a setting cannot be used.

    Example:
        >>> learner = influence_jax.make_learner(influence_jax.presets.get("harvest-moa", "small"))
        >>> learner
        Learner of 5 agents in 'harvest', influence.model 'moa', network.name 'lstm'
    """
    if not isinstance(config, ExperimentConfig):
        raise ConfigError(
            f"config is of type {type(config).__name__}; allowed: an ExperimentConfig, such as influence_jax.presets.get returns."
        )
    config = validate(config)
    env, env_params, env_config = envs.configured(config.env)
    if env.spec.observation_shape[0] < SMALLEST_VIEW:
        raise ConfigError(
            f"env.view_radius gives agents a view of {env.spec.observation_shape[0]} cells; allowed: views of {SMALLEST_VIEW} "
            "or more (a radius of 1 or more), over which the network's 3 x 3 convolution fits."
        )
    shaper = _shaper(config.learner.shaper)
    model = influence.make(config.influence, env.spec.num_agents, env.spec.num_actions)
    if model.auxiliary_loss is not None and config.learner.rollout_length <= model.lag:
        raise ConfigError(
            f"learner.rollout_length is {config.learner.rollout_length} with influence.model {config.influence.model!r}, which "
            f"learns from a choice and what follows on it; allowed: whole numbers from {model.lag + 1} up."
        )
    bonus_actions = _bonus_actions(config, env)
    if config.learner.observe_rewards:
        if shaper.observe is None:
            raise ConfigError(
                f"learner.observe_rewards is True with learner.shaper {config.learner.shaper!r}, which has nothing to observe; "
                "allowed: False."
            )
        spec = dataclasses.replace(model.network_spec, extra_inputs=env.spec.num_agents)
        model = dataclasses.replace(model, network_spec=spec)
    if config.network.moa_encoder == "perspective":
        if not model.network_spec.moa_targets:
            raise ConfigError(
                f"network.moa_encoder is 'perspective' with influence.model {config.influence.model!r}, which has no model of "
                "others; allowed: shared, own."
            )
        if not env.spec.agent_colours:
            raise ConfigError(
                f"network.moa_encoder is 'perspective' in {config.env.name!r}, whose views do not show each agent's heading in a "
                "colour of its own; allowed: shared, own, or env.headings_visible with at most five agents."
            )
        spec = dataclasses.replace(model.network_spec, agent_colours=env.spec.agent_colours)
        model = dataclasses.replace(model, network_spec=spec)
    make_optimizer = implementation("learner.optimizer", config.learner.optimizer, OPTIMIZERS)
    optimizer = built(f"learner.optimizer {config.learner.optimizer!r}", make_optimizer, optax.GradientTransformation)
    name, spec = config.network.name, model.network_spec
    make_network = implementation("network.name", name, NETWORKS)
    parts = {
        "env": env,
        "model": model,
        "network": built(f"network.name {name!r}", lambda: make_network(spec, config.network), Network),
        "optimizer": optimizer,
        "shaper": shaper,
        "algorithm": ALGORITHMS[config.learner.algorithm](config.learner),
        "control": CONTROLS[config.influence.control],
        "metrics": tuple(implementation("learner.metrics", name, {}) for name in config.learner.metrics),
        "bonus_actions": bonus_actions,
    }
    config = dataclasses.replace(config, env=env_config)
    return Learner(
        config=config,
        env_params=env_params,
        configured=parts | {"settings": _settings_of_parts(config)},
        **parts,
    )


def _bonus_actions(config: ExperimentConfig, env: Environment) -> tuple[int, ...]:
    """Return the actions that the control `act_bonus` pays for."""
    names, control = env.spec.action_names, config.influence.control
    if unknown := [name for name in config.influence.bonus_actions if name not in names]:
        raise ConfigError(
            f"influence.bonus_actions has {unknown[0]!r}; allowed in {config.env.name!r}: {', '.join(names)}."
        )
    if control == "act_bonus" and not (config.influence.bonus_actions or env.spec.beam_actions):
        raise ConfigError(
            f"influence.control is 'act_bonus' in {config.env.name!r}, where no action draws a beam; "
            "set influence.bonus_actions."
        )
    return tuple(map(names.index, config.influence.bonus_actions)) or env.spec.beam_actions


def numbers_of(config: ExperimentConfig) -> dict[str, dataclasses.Field]:
    """Return the numbers that the shaper and the influence model of your own declare, without building anything else.

    Raises:
        ConfigError: one of them cannot be built, or declares what cannot be used.
    """
    parts, own = {}, code_paths(config)
    if "learner.shaper" in own:
        name = in_full("learner.shaper", own["learner.shaper"], SHAPERS, GROUPS["learner.shaper"])
        parts[f"learner.shaper {name!r}"] = _shaper(name)
    if "influence.model" in own:
        name = in_full("influence.model", own["influence.model"], influence.MODELS, GROUPS["influence.model"])
        spec = envs.make(config.env.name, **config.env.options).spec
        named = dataclasses.replace(config.influence, model=name)
        parts[f"influence.model {name!r}"] = influence.make(named, spec.num_agents, spec.num_actions)
    return declared_numbers(parts)


def _settings_of_parts(config: ExperimentConfig) -> tuple[Any, ...]:
    """Return the settings that the parts of a learner are built from."""
    return (
        dataclasses.replace(config.env, params={}),
        config.network,
        config.influence,
        config.learner,
        config.log_interval,
    )


def _shaper(name: str) -> Shaper:
    """Return a shaper by name; your own is a `Shaper`, a pair ``(init, apply)``, or a function that returns such a pair."""
    found = implementation("learner.shaper", name, SHAPERS, (Shaper, Callable, tuple))
    if isinstance(found, Shaper):
        return found
    return built(f"learner.shaper {name!r}", lambda: Shaper(*(found if isinstance(found, tuple) else found())), Shaper)
