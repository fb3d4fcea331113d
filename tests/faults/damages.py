"""Damage every file of a run and of a sweep in every way, and check the messages.

python -m tests.faults.damages
"""

import collections
import contextlib
import io
import json
import os
import pathlib
import shutil
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import influence_jax
from influence_jax.cli import evaluate as cli_evaluate
from influence_jax.cli import main
from influence_jax.config import to_json
from influence_jax.runtime import run as runs
from influence_jax.runtime.program import Program
from influence_jax.runtime.run import Run
from influence_jax.settings import ConfigError
from tests.conftest import tiny_arguments

SOMEBODY = 65534
RUN = [*"train harvest-moa --profile small".split(), *tiny_arguments(total_steps="480", checkpoint_interval="2")]
SWEEP = [*"sweep harvest-moa --profile small --grid learning_rate=1e-3,3e-4".split(), *RUN[4:]]


def rewritten(change: Callable[[bytes], bytes]) -> Callable[[pathlib.Path], None]:
    def damage(path: pathlib.Path) -> None:
        path.write_bytes(change(path.read_bytes()))

    return damage


def replaced_by_directory(path: pathlib.Path) -> None:
    path.unlink()
    path.mkdir()


def linked_to_nothing(path: pathlib.Path) -> None:
    path.unlink()
    path.symlink_to("nothing")


def linked_to_itself(path: pathlib.Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


WAYS: dict[str, Callable[[pathlib.Path], None]] = {
    "deleted": pathlib.Path.unlink,
    "emptied": rewritten(lambda data: b""),
    "halved": rewritten(lambda data: data[: len(data) // 2]),
    "without its last byte": rewritten(lambda data: data[:-1]),
    "one byte longer": rewritten(lambda data: data + b"x"),
    "one bit flipped": rewritten(lambda data: bytes(x ^ (i == len(data) // 2) for i, x in enumerate(data))),
    "inverted": rewritten(lambda data: bytes(255 - x for x in data)),
    "random bytes": rewritten(lambda data: bytes(i * 73 % 256 for i in range(300))),
    "a directory": replaced_by_directory,
    "a dangling link": linked_to_nothing,
    "a link to itself": linked_to_itself,
    "unreadable": lambda path: path.chmod(0),
}
TEXT_WAYS = {
    name: rewritten(lambda data, text=text: text.encode(errors="surrogateescape"))
    for name, text in {
        "null": "null",
        "a number": "3",
        "a text": '"text"',
        "an empty list": "[]",
        "an empty object": "{}",
        "lists in lists": "[" * 100_000,
        "huge number": '{"format_version": 1e999}',
        "not UTF-8": '{"a": "\udcff"}',
        "version 99": '{"format_version": 99}',
    }.items()
}
READ_ALIKE = "each alike: "  # by all commands, so that one of them is enough
FIELDS = ("null", "-1", "1e999", '"text"', "[]", "{}", "[1, 2]", "true")


def fields_of(path: pathlib.Path) -> Iterator[tuple[str, Callable[[pathlib.Path], None]]]:
    """Yield for JSON one damage for each line that holds a value: the value is something else."""
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        name, colon, value = line.partition(": ")
        if colon and not value.startswith(("{", "[")):
            for other in FIELDS[number % 2 :: 2]:
                changed = [
                    *lines[:number],
                    f"{name}: {other}{',' if value.endswith(',') else ''}",
                    *lines[number + 1 :],
                ]
                text = "\n".join(changed)
                yield f"{name.strip()} is {other}", rewritten(lambda data, text=text: text.encode())


def damages(directory: pathlib.Path) -> Iterator[tuple[str, Callable[[pathlib.Path], None]]]:
    """Yield what is damaged, and a function that damages a copy of the directory."""

    def at(place: pathlib.PurePath, damage: Callable) -> Callable[[pathlib.Path], None]:
        return lambda copy: damage(copy / place)

    files = [path for path in sorted(directory.rglob("*")) if path.is_file() and "tensorboard" not in path.parts]
    files = [path for path in files if "001" not in path.parts]  # the second program of a sweep is like the first
    for path in files:
        if "checkpoints" in path.parts or path.suffix in (".csv", ".png"):
            continue
        place = path.relative_to(directory)
        for name, damage in (WAYS | (TEXT_WAYS if path.suffix == ".json" else {})).items():
            yield f"{place} {name}", at(place, damage)
    for checkpoints in sorted(directory.rglob("checkpoints")):
        place = checkpoints.relative_to(directory)
        newest = place / max((path.name for path in checkpoints.iterdir()), key=int)
        yield f"{newest} is empty", at(newest, emptied)
        yield f"{newest} is gone", at(newest, shutil.rmtree)
        yield f"{newest} is a file", at(newest, lambda path: (shutil.rmtree(path), path.write_text("a file")))
        yield f"{place} is empty", at(place, emptied)
        yield f"{place} is gone", at(place, shutil.rmtree)
        yield f"{place} is a file", at(place, lambda path: (shutil.rmtree(path), path.write_text("a file")))
        yield f"{place} is unreadable", at(place, lambda path: path.chmod(0))
        for stray in ("99999", "nonsense", "-5", "007", "99999.orbax-checkpoint-tmp-1", "\uff19"):
            yield f"{place}/{stray} is there", at(place, lambda path, stray=stray: (path / stray).mkdir())
    for name in ("stray", "damaged", "tensorboard", "evaluation.json"):
        yield f"{name} is a file", at(pathlib.PurePath(name), stray_file)
    yield "evaluation.json is a directory", lambda copy: (copy / "evaluation.json").mkdir()
    yield "everything is gone", lambda copy: emptied(copy)
    yield "the directory is a file", lambda copy: (shutil.rmtree(copy), copy.write_text("a file"))
    yield "the directory is unreadable", lambda copy: copy.chmod(0)
    yield "the directory is read-only", lambda copy: copy.chmod(0o500)
    for path in files:
        if "checkpoints" in path.parts and newest_checkpoint(path) in path.parents:
            for name, damage in WAYS.items():
                yield f"{READ_ALIKE}{path.relative_to(directory)} {name}", at(path.relative_to(directory), damage)
    for path in files:
        if path.name in ("config.json", "members.json", "sweep.json"):
            for name, damage in fields_of(path):
                yield f"{READ_ALIKE}{path.relative_to(directory)}: {name}", at(path.relative_to(directory), damage)


def newest_checkpoint(path: pathlib.Path) -> pathlib.Path | None:
    """Return the newest checkpoint beside or above a file."""
    for parent in path.parents:
        if parent.name == "checkpoints":
            return max(parent.iterdir(), key=lambda path: int(path.name))
    return None


def emptied(path: pathlib.Path) -> None:
    shutil.rmtree(path)
    path.mkdir()


def stray_file(path: pathlib.Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    path.write_text("a file")


def outcome(action: Callable[[], int | None]) -> tuple[str, str]:
    """Return ``good``, ``refused``, or ``traceback``, and what was said."""
    err = io.StringIO()
    with warnings.catch_warnings(record=True) as warned, contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("always")
        with contextlib.redirect_stderr(err):
            try:
                status = action()
            except ConfigError as error:
                status, err = 2, io.StringIO(f"{error}\n")
            except Exception:
                return "traceback", traceback.format_exc(limit=-6)
    said = [f"warning: {warning.message}" for warning in warned] + err.getvalue().splitlines()
    if (
        any("\n" in line for line in said)
        or status not in (None, 0, 2)
        or (status == 2 and len(err.getvalue().splitlines()) != 1)
    ):
        return "traceback", f"status {status}: {said}"
    return ("refused" if status == 2 else "warned" if said else "good"), " | ".join(said)


@contextlib.contextmanager
def as_somebody(copy: pathlib.Path):
    """Switch to a user to whom permissions apply, if root runs this."""
    if os.getuid() != 0:
        yield
        return
    for path in (copy.parent, copy, *copy.rglob("*")):
        os.chown(path, SOMEBODY, -1, follow_symlinks=False)
    os.seteuid(SOMEBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextlib.contextmanager
def computed_once():
    """Trace, compile and play only once, because results computed from the files do not depend on the damage."""
    found: dict[Any, Any] = {}

    def once(key: Any, compute: Callable[[], Any]) -> Any:
        if key not in found:
            found[key] = compute()
        return found[key]

    prepare, compile, evaluate, trace = runs.prepare, Program.compile, cli_evaluate.evaluate, Run.trace
    with (
        mock.patch.object(
            runs,
            "prepare",
            lambda learner, members, devices: once(
                (to_json(learner.config), json.dumps(members)), lambda: prepare(learner, members, devices)
            ),
        ),
        mock.patch.object(Program, "compile", lambda self, stop: once(id(self), lambda: compile(self, stop))),
        mock.patch.object(cli_evaluate, "evaluate", lambda *given: once("evaluate", lambda: evaluate(*given))),
        mock.patch.object(Run, "trace", lambda *given: once("trace", lambda: trace(*given))),
    ):
        yield


def commands(copy: pathlib.Path, is_sweep: bool) -> dict[str, Callable[[], int | None]]:
    """Commands that a user may run on a directory."""
    if is_sweep:
        return {
            "load": lambda: print(influence_jax.load(copy).rows()),
            "best": lambda: main(["best", str(copy)]),
            "table": lambda: main(["table", str(copy), "--out", str(copy / "new.csv")]),
            "sweep --resume": lambda: main([*SWEEP, "--out", str(copy), "--resume", "--quiet"]),
        }
    return {
        "load": lambda: print(influence_jax.load(copy)),
        "best": lambda: main(["best", str(copy)]),
        "table": lambda: main(["table", str(copy), "--out", str(copy / "new.csv")]),
        "evaluate": lambda: main(["evaluate", str(copy), "--episodes", "2"]),
        "render": lambda: main(["render", str(copy), "--out", str(copy.parent / "video.gif")]),
        "resume": lambda: main(["resume", str(copy), "--quiet", "--total-steps", "720"]),
    }


def examine(original: pathlib.Path, is_sweep: bool) -> Iterator[tuple[str, str, str, str]]:
    """Yield each damage, command, outcome and message."""
    copy = original.with_name("copy")
    for name, damage in damages(original):
        for command in commands(copy, is_sweep):
            if name.startswith(READ_ALIKE) and command != "load":
                continue
            shutil.copytree(original, copy, symlinks=True)
            try:
                damage(copy)
                with as_somebody(copy) if name.endswith(("unreadable", "read-only")) else contextlib.nullcontext():
                    found = outcome(commands(copy, is_sweep)[command])
                yield name, command, *found
            finally:
                if copy.is_file():
                    copy.unlink()
                else:
                    for path in (copy, *copy.rglob("*")):
                        if not path.is_symlink():
                            path.chmod(0o700)
                    shutil.rmtree(copy)


def make(command: list[str], out: pathlib.Path) -> pathlib.Path:
    """Return the directory of a small run, or of a sweep."""
    assert main([*command, "--out", str(out), "--quiet"]) == 0
    return out


def whole() -> int:
    """Print all messages; return the number of tracebacks."""
    counts: collections.Counter = collections.Counter()
    with tempfile.TemporaryDirectory() as place, computed_once():
        for is_sweep, command in ((False, RUN), (True, SWEEP)):
            original = make(command, pathlib.Path(place) / ("sweep" if is_sweep else "run"))
            for name, what, ended, said in examine(original, is_sweep):
                counts[what, ended] += 1
                print(f"{name}; {what}: {ended}: {said.replace(place, '')}", flush=True)
    for (what, ended), count in sorted(counts.items()):
        print(f"{what}: {count} {ended}")
    tracebacks = sum(count for (_, ended), count in counts.items() if ended == "traceback")
    print(f"{sum(counts.values())} in all, {tracebacks} tracebacks")
    return tracebacks


if __name__ == "__main__":
    sys.exit(1 if whole() else 0)
