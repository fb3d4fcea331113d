"""The command line: one module for each command, imported when it is asked for."""

import importlib
import os
import sys
import warnings
from typing import NoReturn

from influence_jax.settings import ConfigError, nearest

USAGE = """usage: influence-jax COMMAND ...

  presets                   list the experiments
  envs [NAME]               list the games, or the settings of one
  train PRESET --out DIR    train agents; with --help every setting is explained
  resume DIR                go on with a run that was stopped
  sweep PRESET --grid ...   train many settings in few programs; also --random and --trials
  submit ... -- sweep ...   a sweep as a job array of SLURM, which goes on when it was stopped
  merge DIR DIR --out DIR   the shards of a sweep, which several processes trained, as one sweep
  best DIR                  the best settings of a sweep
  table DIR --out FILE      metrics of a run or a sweep as a .parquet or .csv
  evaluate DIR              returns of the trained agents in whole episodes
  render DIR --out FILE     one episode of the trained agents as a .gif or .mp4
  bench QUESTION            how fast it is on this machine; without a question they are listed

influence-jax COMMAND --help explains the options of a command; --version prints the version.
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
    "table",
    "evaluate",
    "render",
    "bench",
)


def run() -> NoReturn:
    """Run the command that was typed, and end the process with its status."""
    from influence_jax.runtime.signals import still_works

    status = main()
    if still_works():  # it was stopped while something was compiled, for which Python would wait
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return the exit status.

    2 for what cannot be done, 1 for a failed run, 75 for one that was stopped and saved, or lost one of its processes, and can
    be resumed, 130 for one that was interrupted at once, 141 where what reads the output is gone, as shells have it.
    """
    try:
        try:
            return _main(sys.argv[1:] if arguments is None else arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python says so once more at its end
        return 141


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
        # As with `python -m`, but last, so that nothing there stands in for a module that is installed.
        if os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())
        return importlib.import_module(f"influence_jax.cli.{name}").main(rest)
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
        os._exit(75)  # JAX would wait for the process that is gone
    except KeyboardInterrupt:
        print("influence-jax: stopped", file=sys.stderr)
        return 130
