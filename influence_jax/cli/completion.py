"""``influence-jax completion``: print what lets a shell complete commands and their options."""

import importlib
import re
import shlex
from types import ModuleType

from influence_jax import presets
from influence_jax.cli import COMMANDS, module_of
from influence_jax.cli.options import option_names
from influence_jax.settings import ConfigError

USAGE = """usage: influence-jax completion SHELL

Print a script for bash or zsh that completes commands, options, and the names of presets and games. In ~/.bashrc or ~/.zshrc:

  source <(influence-jax completion bash)

It takes seconds, because every command is imported; keep the output in a file if that is too long for the start of a shell.
"""
ZSH = """(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
autoload -Uz bashcompinit && bashcompinit
"""
SHELLS = {"bash": "", "zsh": ZSH}
SCRIPT = """_influence_jax() {{
  local choices= word=${{COMP_WORDS[COMP_CWORD]}}
  if [ "$COMP_CWORD" -eq 1 ]; then choices={commands}
  else case ${{COMP_WORDS[1]}} in
{cases}
  esac; fi
  COMPREPLY=($(compgen -W "$choices" -- "$word"))
}}
complete -o default -F _influence_jax influence-jax
"""


def main(arguments: list[str]) -> int:
    """Print the script of a shell."""
    if arguments and arguments[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    if len(arguments) != 1 or arguments[0] not in SHELLS:
        raise ConfigError(f"shell is {' '.join(arguments)!r}; allowed: {' or '.join(SHELLS)}.")
    cases = "\n".join(f"    {command}) choices={shlex.quote(' '.join(words(command)))} ;;" for command in COMMANDS)
    print(SHELLS[arguments[0]] + SCRIPT.format(commands=shlex.quote(" ".join(COMMANDS)), cases=cases), end="")
    return 0


def words(command: str) -> list[str]:
    """Return what may follow a command: names that it takes, and its options."""
    module = importlib.import_module(module_of(command))
    return [*_names(command, module), *dict.fromkeys(_options(command, module)), "--help"]


def _names(command: str, module: ModuleType) -> list[str]:
    if command in ("train", "sweep"):
        return list(presets.names())
    if command == "presets":
        return ["--json"]
    if command == "envs":
        return [*module.envs.registered(), "--json"]
    return list(getattr(module, "QUESTIONS", getattr(module, "SHELLS", ())))


def _options(command: str, module: ModuleType) -> list[str]:
    """Return the options of the class of options that a command has, or those that its help lists."""
    listed = re.findall(r"^  (--[a-z-]+)", getattr(module, "HELP", ""), flags=re.MULTILINE)
    if command in ("train", "sweep"):
        from influence_jax.cli.train import train_options
        from influence_jax.config import ExperimentConfig

        return [*listed, *option_names(train_options(ExperimentConfig(), None, {}))]
    own = [kind for kind in vars(module).values() if getattr(kind, "__module__", "") == module.__name__]
    return listed + [name for kind in own if isinstance(kind, type) for name in option_names(kind)]
