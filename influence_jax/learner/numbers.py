"""Numbers that a shaper or an influence model of your own declares: hyper-parameters named ``own.NAME``."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from influence_jax.config import ConfigError, ExperimentConfig, Hyperparams, declared
from influence_jax.settings import Numbers, checked, checked_numbers, short_repr

_DECLARED = "influence_jax.settings.number(default, low, high, help)"


def declared_numbers(parts: Mapping[str, Any]) -> dict[str, dataclasses.Field]:
    """Return the numbers that some parts declare, by name; the keys of ``parts`` are what error messages call them.

    Raises:
        ConfigError: a declaration cannot be used, or a name is taken.
    """
    numbers, owners = {}, {name: "the package" for name, _, _ in declared(Hyperparams())}
    for part, made in parts.items():
        if not isinstance(made.numbers, Mapping):
            raise ConfigError(f"numbers of {part} is {short_repr(made.numbers)}; allowed: names and {_DECLARED}.")
        for name, field in made.numbers.items():
            allowed = getattr(field, "metadata", {}).get("allowed")
            if not isinstance(allowed, Numbers):
                raise ConfigError(f"numbers[{name!r}] of {part} is {short_repr(field)}; allowed: {_DECLARED}.")
            if name in owners:
                raise ConfigError(
                    f"numbers of {part} has {name!r}, which {owners[name]} declares, too; allowed: another name."
                )
            if not isinstance(name, str) or not name.isidentifier():
                raise ConfigError(f"numbers of {part} has {name!r}; allowed: names of letters, digits and underscores.")
            checked(f"numbers[{name!r}] of {part}", field.default, allowed)
            numbers[name], owners[name] = field, part
    return numbers


def with_own_numbers(config: ExperimentConfig, numbers: Mapping[str, dataclasses.Field]) -> ExperimentConfig:
    """Return the configuration with a value of each of its parts' numbers: its own or the default.

    Raises:
        ConfigError: no part declares one of its numbers, or the value is not allowed.
    """
    parts = f"learner.shaper {config.learner.shaper!r} or influence.model {config.influence.model!r}"
    known = {name: field.metadata["allowed"] for name, field in numbers.items()}
    own = {name: field.default for name, field in numbers.items()}
    own |= checked_numbers("hyperparams.own", config.hyperparams.own, known, f"a number of {parts}")
    return dataclasses.replace(config, hyperparams=config.hyperparams.replace(own=own))
