"""Merging the shards of a sweep, which several processes trained, into one sweep."""

import os
import pathlib
import shutil
import tempfile
from collections.abc import Sequence
from typing import Any

from influence_jax.config import ConfigError
from influence_jax.runtime import directory
from influence_jax.runtime.files import write_json
from influence_jax.settings import INT32_MAX, Choices, checked
from influence_jax.sweeps.files import read_about
from influence_jax.sweeps.plan import checked_shard
from influence_jax.sweeps.results import Sweep, load_sweep

SHARED = ("format_version", "space", "config")  # equal in all shards of a sweep


def merge(shards: Sequence[str | pathlib.Path], *, out: str | pathlib.Path, trust: bool = False) -> Sweep:
    """Merge the finished shards of a sweep into a directory, as if one process had trained them.

    The shards' runs are copied and stay where they are.

    Args:
        shards: directories of all shards, in any order.
        out: a new directory.
        trust: whether to import code from outside this package that the sweep names.

    Raises:
        ConfigError: a shard is missing, given twice, unfinished, or of another sweep, or ``out`` cannot be used.

    Example:
        >>> best = influence_jax.merge(["runs/shard-0", "runs/shard-1"], out="runs/whole").best(1)
    """
    checked("trust", trust, Choices((True, False)))
    if not isinstance(shards, list | tuple) or not shards:
        raise ConfigError(f"shards is {shards!r}; allowed: a list of at least one directory.")
    path = directory.checked_path(out)
    directory.refuse_taken(path)
    found = _in_order([directory.checked_path(place) for place in shards])
    loaded = {str(place): load_sweep(place, trust) for place in found}
    unfinished = [
        place for place, shard in loaded.items() if not (shard.finished and all(run.finished for run in shard.runs))
    ]  # loading reads all of their checkpoints once
    if unfinished:
        raise ConfigError(f"shards that are not finished: {unfinished}; finish these first (--resume).")
    trials = sorted(t for shard in loaded.values() for t in {t for program in shard.programs for t in program.trials})
    wanted = list(range(len(next(iter(loaded.values())).space.settings())))
    if trials != wanted:
        raise ConfigError(f"shards hold the trials {trials}; allowed: each of {len(wanted)} once.")
    _copy(found, path)
    return load_sweep(path, trust)


def _in_order(places: list[pathlib.Path]) -> dict[pathlib.Path, dict[str, Any]]:
    """Return the content of each shard's ``sweep.json`` by directory, after checking that they are all shards of one sweep."""
    found: dict[int, tuple[pathlib.Path, dict[str, Any]]] = {}
    count = 0  # of all shards
    for place in places:
        about = read_about(place)
        if "shard" not in about:
            raise ConfigError(f"{str(place)!r} holds a whole sweep; allowed: shards of one.")
        index, count = checked_shard(about["shard"], INT32_MAX)
        first, other = next(iter(found.values()), (place, about))
        alike = all(about.get(name) == other.get(name) for name in SHARED)
        if not alike or count != other["shard"][1]:
            raise ConfigError(
                f"{str(first)!r} and {str(place)!r} hold shards of different sweeps; merge the shards of one."
            )
        if index in found:
            raise ConfigError(
                f"{str(found[index][0])!r} and {str(place)!r} hold the same shard, {index}/{count}; allowed: each once."
            )
        found[index] = place, about
    missing = [f"{i}/{count}" for i in range(count) if i not in found]
    if missing:
        raise ConfigError(f"shards are missing: {', '.join(missing)}; merge all of them.")
    return dict(found[i] for i in range(count))


def _copy(found: dict[pathlib.Path, dict[str, Any]], path: pathlib.Path) -> None:
    """Copy the programs of all shards, in order, into a directory that appears only once it is complete."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as temporary:
            whole, programs = pathlib.Path(temporary) / "whole", []
            for place, about in found.items():
                for number, program in enumerate(about["programs"]):
                    target = whole / "programs" / f"{len(programs):03}"
                    shutil.copytree(place / "programs" / f"{number:03}", target, ignore=shutil.ignore_patterns("lock"))
                    programs.append(program)
            first = next(iter(found.values()))
            write_json(whole / "sweep.json", {name: first[name] for name in SHARED} | {"programs": programs})
            os.replace(whole, path)
    except OSError as error:
        raise ConfigError(f"out is {str(path)!r}, which cannot be written: {error}; allowed: directories.") from error
