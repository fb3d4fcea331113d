"""``influence-jax sweep``: train many settings of one experiment, in as few programs as their shapes allow."""

import argparse
import csv
import dataclasses
import datetime
import json
import os
import pathlib
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import rich.box
from rich.table import Table

from influence_jax.analysis.labels import texts
from influence_jax.cli import train
from influence_jax.cli.devices import chosen
from influence_jax.cli.options import check, parse_some, read_integer
from influence_jax.settings import ConfigError, counted

HELP = """usage: influence-jax sweep PRESET --out DIR [--grid NAME=A,B ...] [--random NAME=DRAW ...] [options of train]

Train every combination of the grid, each with --trials draws of the random settings, each with --seeds seeds. Traced settings
(hyper-parameters, environment parameters) share a program; every combination of other settings is a program of its own.

  --grid NAME=A,B,...      values of a setting, by its path or the last part of it; once per setting
  --random NAME=DRAW       log:LOW:HIGH, uniform:LOW:HIGH or choice:A,B,...; once per setting
  --trials N               draws of the random settings per combination of the grid (1)
  --draw-seed N            seed of the draws (0); the same seed gives every experiment the same draws
  --space FILE             JSON file with grid, random, trials and seed instead of these options, or with trials `listed` one by
                           one, as written by `influence-jax best --space FILE`
  --optuna STORAGE         let Optuna choose trials from the --random distributions until the study in this database has --trials
                           of them (64); several processes may share it, for example sqlite:///study.db
  --study NAME             with --optuna: name of the study (influence_jax)
  --sampler-seed N         with --optuna: seed of its sampler (0)
  --sampler MODULE:NAME    with --optuna: a sampler, such as optuna.samplers:CmaEsSampler (TPE)
  --pruner MODULE:NAME     with --optuna: a pruner, such as optuna.pruners:MedianPruner (none)
  --at-once N              with --optuna: trials to request and train side by side (8)
  --metric NAME            with --optuna: metric to maximise at the end of a run (collective_return)
  --shard I/N              train only part I (from 0) of N of the trials, in a directory of its own, for `influence-jax merge`;
                           required in a SLURM job array; with --resume, the default is the shard in DIR
  --dry-run                print the number of members and programs and their memory, and stop
  --measure                with --dry-run: train the first program for two log points, and estimate how long all would take
  --resume                 continue the sweep in DIR, if there is one, with the same command or with more trials, --seeds or
                           --total-steps; without changes, `influence-jax resume DIR` does the same

All options of train apply to every trial; `influence-jax train PRESET --help` explains them.
"""

ADAPTIVE = ("optuna", "study", "at_once", "metric", "sampler_seed", "sampler", "pruner")


def main(arguments: list[str]) -> int:
    """Run a sweep and print its best settings."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name in ("--grid", "--random"):
        parser.add_argument(name, action="append", default=[])
    for name in ("trials", "draw_seed", "space", "shard", *ADAPTIVE):
        parser.add_argument(f"--{name.replace('_', '-')}")
    for name in ("--dry-run", "--measure", "--resume", "--help", "-h"):
        parser.add_argument(name, action="store_true")
    own, rest = parse_some(parser, arguments)
    if own.help or own.h:
        print(HELP, end="")
        return 0
    if own.measure and not own.dry_run:
        raise ConfigError("measure is True without dry_run; allowed: both or neither.")
    adaptive, space = _adaptive(own), _space(own)
    given = train.read(rest, "sweep")
    if given.start_from is not None:
        raise ConfigError(f"from is {str(given.start_from)!r}, but sweeps start from scratch; allowed: nothing.")
    check(given)
    if adaptive:
        return search(given, train.as_config(given), space, adaptive, own.resume)
    shard = shard_of(own.shard, _recorded_shard(given.out) if own.resume else None, os.environ)
    return run(given, train.as_config(given), space, shard, own)


def _recorded_shard(out: pathlib.Path) -> Any:
    from influence_jax.sweeps.files import read_about

    return read_about(out).get("shard") if (out / "sweep.json").exists() else None


def _adaptive(own: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of `influence_jax.search`, empty without --optuna."""
    given = {name: getattr(own, name) for name in ADAPTIVE if getattr(own, name) is not None}
    if own.optuna is None:
        if given:
            raise ConfigError(f"{next(iter(given))} is given without optuna, which uses it; allowed: both or neither.")
        return {}
    for name in ("grid", "space", "draw_seed", "shard", "dry_run"):
        if getattr(own, name):
            raise ConfigError(
                f"{name} is {getattr(own, name)!r} together with optuna, which chooses the trials; allowed: one of them."
            )
    given |= {name: read_integer(given[name]) for name in ("at_once", "sampler_seed") if name in given}
    if "sampler_seed" in given:
        given["seed"] = given.pop("sampler_seed")
    if own.trials is not None:
        given["trials"] = read_integer(own.trials)
    own.trials = None
    return {"storage": given.pop("optuna"), **given}


def _space(own: argparse.Namespace) -> dict[str, Any]:
    from influence_jax.sweeps import space

    if own.space is not None:
        for name in ("grid", "random", "trials", "draw_seed"):
            if getattr(own, name):
                raise ConfigError(f"{name} is {getattr(own, name)!r} together with space; allowed: one of them.")
        return space.read(own.space)
    found: dict[str, Any] = {"grid": {}, "random": {}}
    for kind in found:
        for text in getattr(own, kind):
            name, equals, values = text.partition("=")
            if not equals or not values:
                raise ConfigError(f"{kind} is {text!r}; allowed: a setting and its values, NAME=A,B.")
            if name in found[kind]:
                raise ConfigError(f"{kind} has {name!r} 2 times; allowed: once.")
            found[kind][name] = space.read_values(values) if kind == "grid" else values
    numbers = {"trials": own.trials, "seed": own.draw_seed}
    return found | {name: read_integer(text) for name, text in numbers.items() if text is not None}


def shard_of(
    text: str | None, recorded: Sequence[int] | None, environment: Mapping[str, str]
) -> tuple[int, int] | None:
    """Return the shard that this process trains, as ``(index, count)``: from the option, or as recorded in the resumed sweep.

    A job array has to pass the option: if only part of an array is resubmitted, SLURM reports the size of that part.
    """
    if text is not None:
        if not re.fullmatch(r"\d+/\d+", text):
            raise ConfigError(f"shard is {text!r}; allowed: I/N, such as 3/16, with I from 0.")
        index, count = map(int, text.split("/"))
        return index, count
    if recorded is not None:
        index, count = recorded
        return index, count
    if "SLURM_ARRAY_TASK_ID" in environment:
        raise ConfigError(
            "shard is missing in a task of a SLURM job array; allowed: --shard I/N, such as "
            "--shard $SLURM_ARRAY_TASK_ID/16 in an array 0-15, or 0/1 for all trials."
        )
    return None


def run(given: Any, config: Any, space: dict[str, Any], shard: tuple[int, int] | None, own: argparse.Namespace) -> int:
    """Print the plan, run it, and print the results."""
    from influence_jax.runtime import directory
    from influence_jax.runtime.compilation import keep_compiled_programs
    from influence_jax.runtime.run import Execution
    from influence_jax.sweeps.space import make_space
    from influence_jax.sweeps.sweep import planned, run_sweep

    keep_compiled_programs()
    trials, quiet = make_space(config, **space), given.quiet or given.json
    path, how = directory.checked_path(given.out), Execution(resume=own.resume, devices=chosen(given))
    programs = planned(config, trials, shard, path, how)
    if not quiet or own.dry_run:
        print(describe(programs, config.seeds, shard), file=sys.stderr)
    if own.measure:
        print(measure(programs, how.devices), file=sys.stderr)
    if own.dry_run:
        return 0
    with train.progress(quiet) as callback:
        found = run_sweep(config, trials, shard, path, dataclasses.replace(how, callback=callback))
    return finish(found, given)


def search(given: Any, config: Any, space: dict[str, Any], adaptive: dict[str, Any], resume: bool) -> int:
    """Let Optuna choose the trials, and print the results."""
    from influence_jax.runtime.compilation import keep_compiled_programs
    from influence_jax.sweeps.adaptive import search as search_adaptively

    keep_compiled_programs()
    with train.progress(given.quiet or given.json) as callback:
        options = {"out": given.out, "resume": resume, "devices": chosen(given), "callback": callback}
        found = search_adaptively(config, space["random"], **adaptive, **options)
    return finish(found, given)


def finish(found: Any, given: Any) -> int:
    """Write and show the results; return the exit status."""
    if not given.json:
        return _ended(found, given.quiet, print)
    status = _ended(found, True, lambda _: None)
    about = {"out": str(found.path), "programs": len(found.programs), "num_finished": found.num_finished}
    print(json.dumps(about | {"finished": found.finished, "failed": found.failed}))
    return status


def _ended(found: Any, quiet: bool, say: Callable[[str], None]) -> int:
    """Write the results and, unless ``quiet``, show them; ``say`` how an unfinished sweep goes on."""
    path = found.path
    if not found.finished and not (path / "sweep.json").exists():
        say("Stopped before the first update; nothing was written.")
        return train.STOPPED
    unsaved = [number for number, record in enumerate(found.records) if not record.saved]
    too_large = [number for number, record in enumerate(found.records) if record.too_large]
    for numbers, problem in ((unsaved, "could not be saved at the end"), (too_large, "need more memory than there is")):
        if numbers:
            print(f"influence-jax: programs {', '.join(map(str, numbers))} {problem}.", file=sys.stderr)
    if not found.finished:
        done = f"{found.num_finished} of {len(found.programs)} programs are done"
        how = "Stopped" if unsaved or too_large else "Stopped and saved"
        say(f"{how}; {done}. Continue with: influence-jax resume {shlex.quote(str(path))}")
        return 1 if unsaved or too_large else train.STOPPED
    if found.failed:
        print(
            f"influence-jax: {len(found.failed)} trials failed, because a seed diverged: "
            f"{', '.join(map(str, found.failed))}.",
            file=sys.stderr,
        )
    if not found.recorded:
        raise ConfigError(f"{str(path)!r} holds a sweep whose log points are lost; allowed: a sweep with results.")
    try:
        write_results(found, path)
    except OSError as error:
        raise ConfigError(f"results in {str(path)!r} cannot be written: {error}; allowed: files.") from error
    if not quiet:
        show_results(found, path)
    return 1 if unsaved else 0


def describe(programs: list[Any], seeds: int, shard: tuple[int, int] | None) -> str:
    """Describe the trials, members and programs, and their memory."""
    from influence_jax.runtime.memory import has_formula, peak_formula

    members = [len(program.trials) for program in programs]
    needed = [peak_formula(p.learner, len(p.trials)) for p in programs if has_formula(p.learner)]
    memory = f"; {max(needed) / 1e9:.3g} GB for all members of a program at once" if needed else ""
    shown = ", ".join(map(str, members[:8])) + (", ..." if len(members) > 8 else "")
    trials = {trial for program in programs for trial in program.trials}
    part = "" if shard is None else "shard {}/{}: ".format(*shard)
    return (
        f"{part}{counted(len(trials), 'trial')} x {counted(seeds, 'seed')} = {counted(sum(members), 'member')} in "
        f"{counted(len(programs), 'program')} of {shown}; {counted(steps_of(programs), 'environment step')}{memory}"
    )


def measure(programs: list[Any], devices: Any) -> str:
    """Train the first program for two log points, in memory, and estimate how long all programs would take."""
    from influence_jax.runtime import run as runs

    first, points = programs[0], []
    learner = dataclasses.replace(first.learner, config=dataclasses.replace(first.learner.config, loggers=()))

    def stop(point):
        points.append(point)
        if len(points) == 2:
            raise KeyboardInterrupt

    done = runs.train(learner, hyperparams=first.hyperparams, devices=devices, callback=stop)
    if not points:
        raise KeyboardInterrupt  # the user's, during the compilation
    rate = points[-1].steps_per_second
    seconds = steps_of(programs) / rate + done.compile_seconds * len(programs)
    return (
        f"about {datetime.timedelta(seconds=round(seconds))} in all: the first program compiles in {done.compile_seconds:.0f} s "
        f"and then runs {rate:,.0f} environment steps per second here"
    )


def steps_of(programs: list[Any]) -> int:
    """Return the total environment steps of all members of all programs."""
    sizes = [(len(program.trials), program.learner.config) for program in programs]
    return sum(members * config.num_updates * config.steps_per_update for members, config in sizes)


def write_results(found: Any, path: pathlib.Path) -> None:
    """Write ``final.csv``, one row per member, and ``best.png``, the curves of the best trials."""
    from influence_jax.analysis.figures import plot_learning_curves

    rows = found.rows()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with open(path / "final.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    plot_learning_curves(found.curves(5), ["collective_return"], each=True).savefig(path / "best.png")


def show_results(found: Any, path: pathlib.Path) -> None:
    """Print the best trials and where to find the rest."""
    show_best(found.best(5))
    print(f"every member: {path / 'final.csv'}; the best: {path / 'best.png'}")


def show_best(rows: list[dict[str, Any]]) -> None:
    """Print the settings of the best trials."""
    from influence_jax.runtime.progress import Terminal

    table = Table(box=rich.box.SIMPLE, pad_edge=False)
    for name in rows[0]:
        table.add_column(name, justify="right")
    for cells in zip(*(texts(row[name] for row in rows) for name in rows[0]), strict=True):
        table.add_row(*("-" if cell == "nan" else cell for cell in cells))
    Terminal().print(table)
