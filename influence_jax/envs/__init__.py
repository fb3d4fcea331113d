"""Environments and their registry.

``make("cleanup", num_agents=5)`` gives a registered environment, ``make("my_package.games:MyGame")`` any class that
implements `influence_jax.envs.base.Environment`. Installed packages register names by entry points ``influence_jax.envs``.
"""

import dataclasses
import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax.config import ENVS, EnvConfig
from influence_jax.envs.base import Environment
from influence_jax.envs.box_trapped import BoxTrapped
from influence_jax.envs.cleanup import Cleanup
from influence_jax.envs.coins import Coins
from influence_jax.envs.harvest import Harvest
from influence_jax.envs.matrix import MatrixGame
from influence_jax.envs.stag_hunt import StagHunt
from influence_jax.settings import (
    Allowed,
    ConfigError,
    Numbers,
    checked_numbers,
    implementation,
    in_full,
    nearest,
    plugins,
)

__all__ = [
    "BoxTrapped",
    "Cleanup",
    "Coins",
    "Environment",
    "Harvest",
    "MatrixGame",
    "StagHunt",
    "configured",
    "make",
    "option_fields",
    "registered",
]

_REGISTRY: dict[str, tuple[type[Environment], dict[str, Any]]] = {
    "box-trapped": (BoxTrapped, {}),
    "cleanup": (Cleanup, {}),
    "cleanup-mp": (Cleanup, {"waste_rule": "bernoulli"}),
    "coins": (Coins, {}),
    "harvest": (Harvest, {}),
    "harvest-mp": (Harvest, {"regrowth": "disc"}),
    "matrix": (MatrixGame, {}),
    "stag-hunt": (StagHunt, {}),
}


def registered() -> tuple[str, ...]:
    """Return the names that `make` knows, last those of other installed packages."""
    return tuple(dict.fromkeys((*_REGISTRY, *others())))


def others() -> dict[str, tuple[str, ...]]:
    """Return by name the paths of the games that other installed packages register; nothing is imported."""
    return plugins(ENVS)


def variant(name: str) -> dict[str, Any]:
    """Return the options that a registered name sets on its class."""
    name, _ = without_version(name)
    return _REGISTRY[name][1] if name in _REGISTRY else {}


def register(name: str, constructor: type[Environment], **options: Any) -> None:
    """Register an environment under a name of your own, optionally with some options set.

    Args:
        name: a name for `make`, ``--env.name`` and ``EnvConfig``.
        constructor: a subclass of `Environment`.
        **options: values for its options, such as ``num_agents``.

    Raises:
        ConfigError: the name is taken.

    Example:
        >>> from influence_jax.envs.harvest import Harvest
        >>> influence_jax.register("harvest-pair", Harvest, num_agents=2)
        >>> influence_jax.make("harvest-pair").spec.num_agents
        2
    """
    if not (isinstance(constructor, type) and issubclass(constructor, Environment)):
        raise ConfigError(f"constructor is {constructor!r}; allowed: classes that derive from Environment.")
    if not isinstance(name, str) or not name or ":" in name or name in registered():
        raise ConfigError(
            f"environment name is {name!r}; allowed: texts without a colon, other than {', '.join(registered())}."
        )
    _REGISTRY[name] = constructor, options


def make(name: str, **options: Any) -> Environment:
    """Return an environment.

    Args:
        name: a registered name, such as ``"cleanup"``, also with the version of its rules, ``"cleanup-v0"``, or
            ``"package.module:Class"``.
        **options: static options of the environment, such as ``num_agents``; see its class.

    Raises:
        ConfigError: the name or an option is unknown, or an option has a value that is not allowed.

    Example:
        >>> env = influence_jax.make("cleanup", num_agents=2)
        >>> state, timestep = env.reset(jax.random.key(0), env.default_params)
        >>> timestep.observation.shape
        (2, 15, 15, 3)
    """
    constructor, presets = _constructor(name)
    known = [field.name for field in option_fields(name)]
    for option in options:
        if option not in known:
            raise ConfigError(
                f"env.{option} is not a setting of {name!r}; allowed: {', '.join(known) or 'none'}.{nearest(option, known)}"
            )
    try:
        return constructor(**presets | options)
    except ConfigError as error:
        prefix = "env." if str(error).partition(" ")[0] in known else ""
        raise ConfigError(f"{prefix}{error}") from error.__cause__
    except TypeError as error:
        raise ConfigError(
            f"env.name is {name!r}, which cannot be made: {error}; allowed: classes with defaults."
        ) from error


def option_fields(name: str) -> list[dataclasses.Field]:
    """Return an environment's options as the fields of its dataclass; none if it is not a dataclass."""
    constructor, presets = _constructor(name)
    fields = dataclasses.fields(constructor) if dataclasses.is_dataclass(constructor) else ()
    return [_with_default(field, presets) for field in fields if field.init]


def configured(config: EnvConfig) -> tuple[Environment, Any, EnvConfig]:
    """Return the environment, its parameters, and the configuration with every option and parameter written out.

    Raises:
        ConfigError: a setting is unknown or cannot be used.
    """
    _refuse_missing_platform()
    for name, values in (("options", config.options), ("params", config.params)):
        if not isinstance(values, dict):
            raise ConfigError(f"env.{name} is {values!r}; allowed: names and values.")
    env = make(config.name, **config.options)
    env_params = _floating(env.default_params)
    if jax.tree.leaves(env_params) and not dataclasses.is_dataclass(env_params):
        raise ConfigError(
            f"default_params of {config.name!r} is a {type(env_params).__name__}; allowed: a dataclass, whose fields become "
            "settings."
        )
    env_params = with_numbers("env.params", env_params, config.params)
    options = {field.name: getattr(env, field.name) for field in option_fields(config.name)}
    name = in_full("env.name", without_version(config.name)[0], _REGISTRY, ENVS)
    return env, env_params, EnvConfig(name, options, numbers(env_params))


def numbers(env_params: Any) -> dict[str, float | tuple[float, ...]]:
    """Return the parameters of a game as plain numbers by name."""
    return {field.name: _plain(getattr(env_params, field.name)) for field in _fields(env_params)}


def with_numbers(path: str, env_params: Any, values: Any) -> Any:
    """Return the parameters of a game with some of them changed by name.

    Args:
        path: the name of ``values`` in error messages.
        env_params: the parameters, a dataclass.
        values: ``{name: value}``, or parameters of the same type, which are returned as they are.

    Raises:
        ConfigError: a name is unknown, or a value is not allowed.
    """
    if type(values) is type(env_params):
        return values
    known = {field.name: number_allowed(field, getattr(env_params, field.name)) for field in _fields(env_params)}
    given = checked_numbers(path, values, known, "a parameter of this game")
    given = {name: jnp.asarray(value, jnp.float32) for name, value in given.items()}
    return dataclasses.replace(env_params, **given) if given else env_params


def _fields(env_params: Any) -> tuple[dataclasses.Field, ...]:
    """Return the parameters of a game as fields; none for a game without parameters."""
    return dataclasses.fields(env_params) if dataclasses.is_dataclass(env_params) else ()


def _refuse_missing_platform() -> None:
    """Raise a `ConfigError` if JAX is told to use a missing platform, which would later end in an assertion's traceback."""
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:
        problem = str(error).partition("\n")[0] or "there is no such device"
        asked = jax.config.values["jax_platforms"]
        raise ConfigError(
            f"JAX_PLATFORMS is {asked!r}, which JAX cannot use here ({problem}); allowed: a platform that is there, such as cpu."
        ) from error


def number_allowed(field: dataclasses.Field, default: jax.Array) -> Allowed:
    """Return the values that a game's parameter may have: what its field declares, or any float32 of the default's shape."""
    return field.metadata.get("allowed") or Numbers(length=None if jnp.ndim(default) == 0 else len(default))


def _constructor(name: Any) -> tuple[type[Environment], dict[str, Any]]:
    if not isinstance(name, str):
        raise ConfigError(f"env.name is {name!r}; allowed: {', '.join(registered())} or 'package.module:Class'.")
    name, version = without_version(name)
    registry = others() | {known: constructor for known, (constructor, _) in _REGISTRY.items()}
    constructor = implementation("env.name", in_full("env.name", name, _REGISTRY, ENVS), registry)
    game = isinstance(constructor, type) and issubclass(constructor, Environment)
    if not game or inspect.isabstract(constructor):
        raise ConfigError(
            f"env.name is {name!r}, which is no environment; allowed: classes that derive from Environment."
        )
    if version not in (None, constructor.version):
        raise ConfigError(
            f"env.name is '{name}-v{version}', but the rules of {name!r} have version {constructor.version} here; allowed: "
            f"{name!r} or '{name}-v{constructor.version}'."
        )
    return constructor, variant(name)


def without_version(name: str) -> tuple[str, int | None]:
    """Split a name such as ``"cleanup-v0"`` into a registered name and a version, None if there is none."""
    known, _, version = name.rpartition("-v")
    return (
        (known, int(version)) if known in _REGISTRY and version.isdecimal() and name not in _REGISTRY else (name, None)
    )


def _with_default(field: dataclasses.Field, presets: dict[str, Any]) -> dataclasses.Field:
    if field.name not in presets:
        return field
    other = dataclasses.field(default=presets[field.name], metadata=field.metadata)
    other.name, other.type = field.name, field.type
    return other


def _floating(params: Any) -> Any:
    """Return the environment parameters as float32 arrays, whatever kind of numbers they are."""
    return jax.tree.map(
        lambda x: jnp.asarray(x, jnp.float32) if jnp.issubdtype(np.asarray(x).dtype, jnp.floating) else x, params
    )


def _plain(value: jax.Array) -> float | tuple[float, ...]:
    """Convert float32 to floats with the fewest digits that round back to the same float32."""
    values = [float(str(x)) for x in np.ravel(np.asarray(value, np.float32))]
    return values[0] if np.ndim(value) == 0 else tuple(values)
