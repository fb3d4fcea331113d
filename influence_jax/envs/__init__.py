"""Environments and their registry.

``make("cleanup", num_agents=5)`` gives a registered environment, ``make("my_package.games:MyGame")`` any class that
implements `influence_jax.envs.base.Environment`.
"""

import dataclasses
import difflib
import importlib
from typing import Any

from influence_jax.envs.base import Environment
from influence_jax.envs.box_trapped import BoxTrapped
from influence_jax.envs.cleanup import Cleanup
from influence_jax.envs.harvest import Harvest

__all__ = ["BoxTrapped", "Cleanup", "Environment", "Harvest", "make", "registered"]

_REGISTRY: dict[str, tuple[type[Environment], dict[str, Any]]] = {
    "box-trapped": (BoxTrapped, {}),
    "cleanup": (Cleanup, {}),
    "cleanup-mp": (Cleanup, {"waste_rule": "bernoulli"}),
    "harvest": (Harvest, {}),
    "harvest-mp": (Harvest, {"regrowth": "disc"}),
}


def registered() -> tuple[str, ...]:
    """Return the names that `make` knows."""
    return tuple(_REGISTRY)


def make(name: str, **options: Any) -> Environment:
    """Return an environment.

    Args:
        name: a registered name, or ``"package.module:Class"``.
        **options: static settings of the environment, such as ``num_agents``; see its class.

    Raises:
        ValueError: the name or an option is unknown, or an option has a value that is not allowed.
    """
    if ":" in name:
        constructor, presets = _load(name), {}
    elif name in _REGISTRY:
        constructor, presets = _REGISTRY[name]
    else:
        nearest = difflib.get_close_matches(name, _REGISTRY, n=1, cutoff=0)[0]
        raise ValueError(
            f"environment is {name!r}; did you mean {nearest!r}? Allowed are {', '.join(map(repr, _REGISTRY))} "
            f"and 'package.module:Class'."
        )
    if dataclasses.is_dataclass(constructor):
        known = [field.name for field in dataclasses.fields(constructor) if field.init]
        for option in options:
            if option not in known:
                raise ValueError(f"{name} has no option {option!r}; allowed are {', '.join(map(repr, known))}.")
    return constructor(**presets | options)


def _load(path: str) -> type[Environment]:
    module, _, attribute = path.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"environment is {path!r}, but it cannot be loaded: {error}.") from error
