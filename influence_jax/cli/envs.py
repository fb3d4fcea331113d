"""``influence-jax envs``: list the games, or the settings of one."""

import dataclasses
import json
from typing import Any

from influence_jax import envs
from influence_jax.settings import ConfigError


def main(arguments: list[str]) -> int:
    """Print one line per game, or every setting of the named games; with ``--json``, one JSON object."""
    if arguments and arguments[0] in ("-h", "--help"):
        print("usage: influence-jax envs [NAME ...] [--json]\n\nList the games, or every setting of the named games.")
        return 0
    names = [argument for argument in arguments if argument != "--json"]
    for name in names:
        if name.startswith("-"):
            raise ConfigError(f"{name} is not an option of envs; allowed: --json.")
    others = {} if names else envs.others()  # whose code a list need not import
    games = {name: describe(name) for name in names or envs.registered() if name not in others}
    games |= {name: {"summary": f"See {' and '.join(paths)}."} for name, paths in others.items()}
    if "--json" in arguments:
        print(json.dumps(games, indent=2))
        return 0
    for name, game in games.items():
        print(f"{name:<14} {game['summary']}")
        for option, about in game["settings"].items() if names else ():
            print(f"  --{option.replace('_', '-'):<36} {about['help']} (default: {about['default']})")
    return 0


def describe(name: str) -> dict[str, Any]:
    """Describe a game: its summary, actions and settings."""
    env = envs.make(name)
    settings = {
        f"env.{field.name}": {"default": getattr(env, field.name), "help": field.metadata.get("help", "")}
        for field in envs.option_fields(name)
    }
    _, params, config = envs.configured(envs.EnvConfig(name))
    numbers = dataclasses.fields(params) if dataclasses.is_dataclass(params) else ()
    helps = {field.name: field.metadata.get("help", "") for field in numbers}
    settings |= {f"env.params.{key}": {"default": value, "help": helps[key]} for key, value in config.params.items()}
    variant = ", ".join(f"{option} {value}" for option, value in envs.variant(name).items())
    summary = (type(env).__doc__ or "").strip().partition("\n")[0] + (f" Here with {variant}." if variant else "")
    return {"summary": summary, "version": env.version, "actions": env.spec.action_names, "settings": settings}
