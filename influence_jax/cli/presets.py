"""``influence-jax presets``: list the experiments."""

import json
import shlex

from influence_jax import presets
from influence_jax.settings import ConfigError


def main(arguments: list[str]) -> int:
    """Print one line per preset, or with ``--json`` one JSON object."""
    if arguments and arguments[0] in ("-h", "--help"):
        print("usage: influence-jax presets [--json]\n\nList the experiments.")
        return 0
    if [argument for argument in arguments if argument != "--json"]:
        raise ConfigError(f"presets takes no arguments except --json, but was given {shlex.join(arguments)}.")
    if arguments:
        print(json.dumps(presets.names(), indent=2))
        return 0
    for name, summary in presets.names().items():
        print(f"{name:<32} {summary}")
    return 0
