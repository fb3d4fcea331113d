"""The command line."""

import argparse
import dataclasses
import json
import os
import pathlib
import shlex
import subprocess
import sys
import typing
from typing import Annotated, Any, Literal

import numpy as np
import rich.box
import tyro
from rich.console import Console
from rich.table import Table

from influence_jax import presets
from influence_jax.config import ConfigError, ExperimentConfig, nearest, validate
from influence_jax.envs.render import SUFFIXES
from influence_jax.learner.evaluate import Evaluation, evaluate, render_episode
from influence_jax.learner.intervention import intervene
from influence_jax.runtime import run
from influence_jax.runtime.compilation import keep_compiled_programs
from influence_jax.runtime.progress import Progress

USAGE = """usage: influence-jax COMMAND ...

  presets                   list the experiments
  train PRESET --out DIR    train agents; with --help every setting is explained
  evaluate DIR              returns of the trained agents in whole episodes
  render DIR --out FILE     one episode of the trained agents as a .gif or .mp4
  bench QUESTION            how fast it is on this machine; without a question they are listed
"""


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return the exit status: 2 for what cannot be done, 1 for a failed run, 130 for a stopped one."""
    arguments = sys.argv[1:] if arguments is None else arguments
    commands = {"presets": _presets, "train": _train, "evaluate": _evaluate, "render": _render, "bench": _bench}
    try:
        if not arguments or arguments[0] in ("-h", "--help"):
            print(USAGE, end="")
            return 0 if arguments else 2
        name, *rest = arguments
        if name not in commands:
            raise ConfigError(f"command is {name!r}; allowed: {', '.join(commands)}.{nearest(name, list(commands))}")
        keep_compiled_programs()
        return commands[name](rest)
    except ConfigError as error:
        print(f"influence-jax: {error}", file=sys.stderr)
        return 2
    except FloatingPointError as error:
        print(f"influence-jax: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("influence-jax: stopped", file=sys.stderr)
        return 130


@dataclasses.dataclass(frozen=True)
class TrainOptions:
    """Train agents and write what happens to a directory. A setting that is not given is the preset's."""

    config: Annotated[ExperimentConfig, tyro.conf.arg(name="")]
    out: pathlib.Path
    """Directory of the run; a new one, or with --resume the one to go on with."""
    profile: str = "paper"
    """How the preset is learned where the paper is silent: paper, large (accelerators), small (CPU) or ppo."""
    resume: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Go on with the run in --out, exactly as if it had not stopped."""


def _train(arguments: list[str]) -> int:
    if arguments and arguments[0] in ("-h", "--help"):
        _presets([])
        print("\nThe settings, here with the defaults of the package; `train PRESET --help` shows those of a preset.\n")
        name, config = "PRESET", ExperimentConfig()
    elif not arguments or arguments[0].startswith("-"):
        raise ConfigError(f"train needs a preset before its options; allowed: {', '.join(presets.names())}.")
    else:
        name, *arguments = arguments
        arguments = in_full(arguments, option_names(TrainOptions))
        _refuse_unknown(arguments, option_names(TrainOptions))
        early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        early.add_argument("--profile", default="paper")
        config = presets.get(name, early.parse_known_args(arguments)[0].profile)
    with lenient:
        options = tyro.cli(
            TrainOptions,
            args=arguments,
            prog=f"influence-jax train {name}",
            default=TrainOptions(config, out=tyro.MISSING),
        )
    config = options.config
    validate(config)

    with Progress() as progress:
        result = run.train(config, out=options.out, resume=options.resume, callback=progress)
    print(f"{result.update:,} of {config.num_updates:,} updates done; see {options.out}")
    if result.finished:
        return 0
    command = ["influence-jax", "train", name, *(a for a in arguments if a != "--resume"), "--resume"]
    print(f"Stopped and saved. Go on with: {shlex.join(command)}")
    return 130


def _presets(arguments: list[str]) -> int:
    if arguments:
        raise ConfigError(f"presets takes no arguments, but was given {shlex.join(arguments)}.")
    for name, summary in presets.names().items():
        print(f"{name:<24} {summary}")
    return 0


@dataclasses.dataclass(frozen=True)
class EvaluateOptions:
    """Play whole episodes with the trained agents; print a table and write evaluation.json into the run's directory."""

    directory: tyro.conf.Positional[pathlib.Path]
    """Directory of a run."""
    episodes: int = 20
    """Episodes of each member."""
    seed: int = 0
    """The same seed gives the same games to every member and every run."""
    interventions: int = 0
    """Moments in which the influence that models of others see is checked: each action of each agent is really tried."""


def _evaluate(arguments: list[str]) -> int:
    _refuse_unknown(arguments, option_names(EvaluateOptions))
    with lenient:
        options = tyro.cli(EvaluateOptions, args=arguments, prog="influence-jax evaluate")
    _at_least("episodes", options.episodes, 1)
    _at_least("seed", options.seed, 0)
    _at_least("interventions", options.interventions, 0)
    trained = run.load(options.directory)
    checked = {}
    if options.interventions:
        found = intervene(trained.learner, trained.state, options.interventions, options.seed)
        checked = {"intervention_correlation": [x if np.isfinite(x) else None for x in found.correlation.tolist()]}
        print(f"influence of each member, as its models of others see it and as it is: correlation {found.correlation}")
    evaluation = evaluate(trained.learner, trained.state, options.episodes, options.seed)
    Console().print(evaluation_table(evaluation, f"{options.episodes} episodes after {trained.update:,} updates"))
    path = options.directory / "evaluation.json"
    about = {"update": trained.update, "episodes": options.episodes, "seed": options.seed}
    results = checked | {
        name: x.tolist() for name, x in (evaluation.__dict__ | evaluation.metrics).items() if name != "metrics"
    }
    path.write_text(json.dumps(about | results) + "\n")
    print(f"every episode: {path}")
    return 0


def evaluation_table(evaluation: Evaluation, title: str) -> Table:
    """Show each member's means over episodes, and the standard deviation of the collective return."""
    table = Table(title=title, box=rich.box.SIMPLE, pad_edge=False)
    columns = {"equality": evaluation.equality, "influence": evaluation.influence}
    columns |= {name: fact.sum(axis=-1) for name, fact in evaluation.metrics.items()}
    for column in ("member", "return", "std", *columns):
        table.add_column(column, justify="right")
    for member, returns in enumerate(evaluation.collective_return):
        means = (f"{np.mean(values[member]):.3g}" for values in columns.values())
        table.add_row(str(member), f"{returns.mean():.1f}", f"{returns.std():.1f}", *means)
    return table


@dataclasses.dataclass(frozen=True)
class RenderOptions:
    """Play one episode with the trained agents and save it as an animation."""

    directory: tyro.conf.Positional[pathlib.Path]
    """Directory of a run."""
    out: pathlib.Path
    """File to write, .gif or .mp4."""
    member: int = 0
    """Which member of the population plays."""
    seed: int = 0
    """Seed of the episode."""
    fps: int = 15
    """Steps shown per second."""


def _render(arguments: list[str]) -> int:
    _refuse_unknown(arguments, option_names(RenderOptions))
    with lenient:
        options = tyro.cli(RenderOptions, args=arguments, prog="influence-jax render")
    if options.out.suffix not in SUFFIXES:
        raise ConfigError(f"out is {str(options.out)!r}; allowed are files that end in {' or '.join(SUFFIXES)}.")
    for name, low in (("member", 0), ("seed", 0), ("fps", 1)):
        _at_least(name, getattr(options, name), low)
    trained = run.load(options.directory)
    if options.member >= trained.config.seeds:
        raise ConfigError(f"member is {options.member}; allowed are 0 to {trained.config.seeds - 1}.")
    render_episode(trained.learner, trained.state, options.out, options.member, options.seed, options.fps)
    print(f"one episode after {trained.update:,} updates: {options.out}")
    return 0


def _bench(arguments: list[str]) -> int:
    # Not part of the installed package, and run apart from it: some questions set up the process before JAX starts.
    roots = (pathlib.Path(__file__).parents[1], pathlib.Path.cwd())
    root = next((root for root in roots if (root / "benchmarks" / "__main__.py").exists()), None)
    if root is None:
        raise ConfigError(
            "bench needs the folder 'benchmarks' of the repository, which is not installed; run it from a checkout."
        )
    path = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, check=False, close_fds=False).returncode


def option_names(options: type, prefix: str = "") -> list[str]:
    """Return every ``--option`` of a class of options, with the ``no-`` form of flags."""
    names = []
    for field in dataclasses.fields(options):
        kind = typing.get_args(field.type)[0] if typing.get_origin(field.type) is Annotated else field.type
        name = field.name.replace("_", "-")
        if dataclasses.is_dataclass(kind):
            names += option_names(kind, prefix if field.name == "config" else f"{prefix}{name}.")
        else:
            names += [f"--{prefix}{name}"] + ([f"--{prefix}no-{name}"] if kind is bool else [])
    return names


def in_full(arguments: list[str], known: list[str]) -> list[str]:
    """Write options that were named by the last part of their path, such as ``--algorithm``, in full where only one fits."""

    def full(argument: str) -> str:
        name, equals, value = argument.partition("=")
        fitting = [option for option in known if option.endswith("." + name.removeprefix("--").replace("_", "-"))]
        return (
            fitting[0] + equals + value
            if name.startswith("--") and name not in known and len(fitting) == 1
            else argument
        )

    return [full(argument) for argument in arguments]


def _refuse_unknown(arguments: list[str], known: list[str]) -> None:
    for argument in arguments:
        name = argument.partition("=")[0].replace("_", "-")
        if argument.startswith("--") and name not in [*known, "--help"]:
            raise ConfigError(f"{name} is not an option.{nearest(name, known)} (--help lists all of them.)")


def _at_least(name: str, value: Any, low: int) -> None:
    if not isinstance(value, int) or value < low:
        raise ConfigError(f"{name} is {value!r}; allowed are whole numbers from {low} up.")


# tyro finds the options and writes their help. What a value may be, `config.validate` knows and says best, so a text
# that does not parse is handed on as it is.
lenient = tyro.constructors.ConstructorRegistry()


@lenient.primitive_rule
def _primitive(info: tyro.constructors.PrimitiveTypeInfo):
    if info.type is int:
        metavar, parse = "INT", _parse_int
    elif info.type is float:
        metavar, parse = "FLOAT", _parse_float
    elif typing.get_origin(info.type) is Literal:
        metavar, parse = "{" + ",".join(typing.get_args(info.type)) + "}", str
    else:
        return None
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=lambda texts: parse(texts[0]),
        is_instance=lambda value: True,
        str_from_instance=lambda value: [str(value)],
    )


def _parse_int(text: str) -> int | float | str:
    """Read 2000000 and 2e6 alike."""
    try:
        return int(text)
    except ValueError:
        return run.whole_number(_parse_float(text))


def _parse_float(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
