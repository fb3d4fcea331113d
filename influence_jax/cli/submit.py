"""``influence-jax submit``: write a SLURM job array for a sweep, one shard per task."""

import argparse
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

from influence_jax.cli import sweep
from influence_jax.settings import ConfigError, file_path

HELP = """usage: influence-jax submit --array 0-15 [--time 04:00:00] [SLURM's options] -- sweep PRESET --out DIR ...

Write DIR/job.sh, a job array whose task I trains shard I of the sweep in DIR/shard-I. Submit it with `sbatch DIR/job.sh`. If you
submit it again, it continues with what is there. When a task reaches its time limit, or SLURM preempts it, it saves, requeues
itself and continues.

  --array 0-LAST           one shard and one task per number; 0-LAST%K runs at most K tasks at a time
  --send                   submit the script at once
  --NAME VALUE, --NAME     any other long option of sbatch, such as --time, --partition, --gpus or --exclusive
  --signal B:USR1@120      seconds before the time limit at which a task is told to save; leave time for one log point

Write a sweep command after --, without --shard and --resume. It is checked before anything is written.
"""
DEFAULTS = {"requeue": None, "signal": "B:USR1@120", "open-mode": "append"}
SCRIPT = """#!/bin/bash
{options}

# Status 75: stopped and saved. 138: USR1 came before there was anything to save.
out={out}/shard-$SLURM_ARRAY_TASK_ID
{command} --shard "$SLURM_ARRAY_TASK_ID/{shards}" --out "$out" --resume &
pid=$!
trap 'asked=1; kill -USR1 $pid' USR1 TERM
asked=1
while [ "$asked" ]; do asked=; wait $pid; status=$?; done  # a signal ends a wait early
case $status in 75 | 138) scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID" ;; esac
exit $status
"""


def main(arguments: list[str]) -> int:
    """Check the sweep, write the script, and print how to submit it."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    if {"-h", "--help"} & {*arguments[:end]}:
        print(HELP, end="")
        return 0
    options, given = _slurm_options(arguments[:end]), arguments[end + 1 :]
    array = re.fullmatch(r"0-(\d+)(%\d+)?", options.get("array") or "")
    if not array:
        raise ConfigError(f"array is {options.get('array')!r}; allowed: 0-LAST, such as 0-15, or 0-15%4.")
    if given[:1] != ["sweep"]:
        raise ConfigError(f"what follows -- is {given[0] if given else None!r}; allowed: sweep and its options.")
    send = "send" in options
    if options.pop("send", None) is not None:
        raise ConfigError("--send takes no value; allowed: --send alone.")
    if send and shutil.which("sbatch") is None:
        raise ConfigError("send is True, but this machine has no sbatch; allowed: machines that submit to SLURM.")
    shards, (out, command) = int(array[1]) + 1, _own(given[1:])
    sweep.main([*command, "--out", str(out / "shard-0"), "--shard", f"0/{shards}", "--dry-run"])
    path = write(out, options, [sys.executable, "-m", "influence_jax", "sweep", *command], shards)
    place = shlex.quote(str(out))
    if send:
        sent = subprocess.run(["sbatch", str(path)], check=False).returncode
        if sent:
            raise ConfigError(
                f"sbatch ended with {sent}; {str(path)!r} is written. Submit it by hand: sbatch {place}/job.sh"
            )
    print(f"{'' if send else f'sbatch {shlex.quote(str(path))}  # and '}when all {shards} tasks are done:")
    print(f"influence-jax merge {place}/shard-* --out {place}/whole")
    return 0


def write(out: pathlib.Path, options: dict[str, str | None], command: list[str], shards: int) -> pathlib.Path:
    """Write the script into the sweep's directory."""
    path, place = out / "job.sh", out.absolute()
    options = DEFAULTS | {"chdir": os.getcwd(), "output": f"{place}/%A_%a.log"} | options
    lines = [f"#SBATCH --{name}" + ("" if x is None else f"={shlex.quote(x)}") for name, x in options.items()]
    text = SCRIPT.format(
        options="\n".join(lines), out=shlex.quote(str(place)), command=shlex.join(command), shards=shards
    )
    try:
        place.mkdir(parents=True, exist_ok=True)
        with open(place / "job.sh", "x") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(
            f"out is {str(out)!r}, which already has a job.sh; allowed: another directory, or submit the script that is there."
        ) from None
    except OSError as error:
        raise ConfigError(f"out is {str(out)!r}, which cannot be written: {error}; allowed: directories.") from error
    return path


def _slurm_options(arguments: list[str]) -> dict[str, str | None]:
    """Parse ``--name=value``, ``--name value`` and ``--name``."""
    found: dict[str, str | None] = {}
    name = None
    for argument in arguments:
        if "\n" in argument:
            raise ConfigError(f"{argument!r} has more than one line; allowed: one.")
        if argument.startswith("--"):
            name, equals, value = argument[2:].partition("=")
            if name in found:
                raise ConfigError(f"--{name} is given 2 times; allowed: once.")
            found[name] = value if equals else None
        elif name is None or found[name] is not None:
            raise ConfigError(f"{argument!r} is not an option; allowed before --: long options of sbatch.")
        else:
            found[name] = argument
    return found


def _own(command: list[str]) -> tuple[pathlib.Path, list[str]]:
    """Split the sweep's options into its directory and the rest; refuse options that submit sets itself."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--shard")
    for name in ("--resume", "--dry-run"):
        parser.add_argument(name, action="store_true")
    try:
        own, rest = parser.parse_known_args(command)
    except argparse.ArgumentError as error:
        raise ConfigError(f"{error}; allowed: an option with its value.") from None
    for name in ("shard", "resume", "dry_run"):
        if getattr(own, name):
            raise ConfigError(f"{name} is {getattr(own, name)!r}, but submit sets it itself; allowed: nothing.")
    if own.out is None:
        raise ConfigError("out is missing in the sweep to submit; allowed: --out DIR.")
    return file_path("out", own.out), rest
