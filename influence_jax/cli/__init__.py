"""The command line. Each command is a module, imported only when the command runs."""

import importlib
import os
import sys
import warnings
from typing import NoReturn

from influence_jax.settings import ConfigError, nearest

USAGE = """usage: influence-jax COMMAND ...

  presets                   list the experiments
  envs [NAME]               list the games, or the settings of one
  train PRESET --out DIR    train agents; --help explains every setting
  resume DIR                continue a run or sweep that was stopped
  sweep PRESET --grid ...   train many settings in few programs; also --random and --trials
  submit ... -- sweep ...   write a SLURM job array for a sweep, which requeues itself when stopped
  merge DIR DIR --out DIR   join the shards of a sweep into one sweep
  best DIR                  print the best settings of a sweep
  compare DIR DIR ...       print how runs, or the settings in them, compare
  plot DIR ... --out FILE   draw learning curves
  report DIR ... --out FILE write a page on runs as .html: tables, curves, settings, machines
  table DIR --out FILE      write the metrics of a run or sweep as .parquet or .csv
  evaluate DIR              play whole episodes with the trained agents and report returns
  cross-play DIR DIR ...    let agents of runs play among one another; also --out FILE
  render DIR --out FILE     play one episode and save it as .gif or .mp4
  replay DIR --out FILE     play one episode and save it as .html, to step through in a browser
  moments DIR --out FILE    save the strongest moments of influence of one episode as .png
  play GAME_OR_DIR          play yourself, among scripted players or the agents of a run
  demo                      train small agents in minutes, and show what they do
  completion SHELL          print what lets bash or zsh complete commands and options
  bench QUESTION            measure speed or memory on this machine; without QUESTION, list the questions

influence-jax COMMAND --help explains the options of a command. influence-jax --version prints the version.
"""
COMMANDS = (
    "presets",
    "envs",
    "train",
    "resume",
    "sweep",
    "submit",
    "merge",
    "best",
    "compare",
    "plot",
    "report",
    "table",
    "evaluate",
    "cross-play",
    "render",
    "replay",
    "moments",
    "play",
    "demo",
    "completion",
    "bench",
)


def run() -> NoReturn:
    """Run the typed command and exit with its status."""
    from influence_jax.runtime.signals import still_running

    status = main()
    if still_running():  # stopped during a compilation, which Python would wait for
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit status.

    0: success. 1: the run failed. 2: bad arguments. 75: stopped and saved, or lost one of its processes; resume it. 130:
    interrupted immediately. 141: the reader of the output closed the pipe, as in shells.
    """
    try:
        try:
            return _main(sys.argv[1:] if arguments is None else arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python reports it again at exit
        return 141


def module_of(command: str) -> str:
    """Return the name of a command's module."""
    return f"influence_jax.cli.{command.replace('-', '_')}"


def _main(arguments: list[str]) -> int:
    warnings.formatwarning = lambda message, *_, **__: f"influence-jax: warning: {message}\n"
    try:
        if not arguments or arguments[0] in ("-h", "--help"):
            print(USAGE, end="")
            return 0 if arguments else 2
        name, *rest = arguments
        if name == "--version":
            from influence_jax import __version__

            print(__version__)
            return 0
        if name not in COMMANDS:
            raise ConfigError(f"command is {name!r}; allowed: {', '.join(COMMANDS)}.{nearest(name, list(COMMANDS))}")
        # As with `python -m`, but last, so that nothing here shadows an installed module.
        if os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())
        return importlib.import_module(module_of(name)).main(rest)
    except ConfigError as error:
        print(f"influence-jax: {error}", file=sys.stderr)
        return 2
    except (FloatingPointError, MemoryError) as error:
        print(f"influence-jax: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        raise
    except ConnectionError as error:
        print(f"influence-jax: {error}", file=sys.stderr, flush=True)
        os._exit(75)  # JAX would wait for the dead process
    except KeyboardInterrupt:
        print("influence-jax: stopped", file=sys.stderr)
        return 130
