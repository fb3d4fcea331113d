"""The directory of a run: its configuration, its members and the machines that it ran on.

Directories are data: opening one imports no code from outside this package unless the caller trusts it.
"""

import contextlib
import datetime
import json
import os
import pathlib
import platform
import shutil
import sys
import warnings
from collections.abc import Iterator, Sequence
from importlib import metadata
from typing import Any

import filelock
import jax

from influence_jax.config import ConfigError, ExperimentConfig, code_paths, from_json, to_dict
from influence_jax.learner.learner import Learner, make_learner
from influence_jax.runtime import population
from influence_jax.runtime.checkpoint import Checkpoints, differences
from influence_jax.runtime.files import write_json
from influence_jax.settings import file_path

FORMAT_VERSION = 3  # of everything in the directory; raise it when older files can no longer be read


def checked_path(out: str | os.PathLike) -> pathlib.Path:
    """Return ``out`` as the path of a run's directory.

    Raises:
        ConfigError: a directory of that name is impossible.
    """
    path = file_path("out", out)
    try:
        for parent in (path, *path.parents):
            if parent.is_symlink() and not parent.exists():
                raise ConfigError(f"out is {str(out)!r}, where {str(parent)!r} links to nothing; allowed: directories.")
            if os.path.lexists(parent):
                if not parent.is_dir():
                    place = "which is a file" if parent == path else f"where {str(parent)!r} is a file"
                    raise ConfigError(f"out is {str(out)!r}, {place}; allowed: directories.")
                effective = os.access in os.supports_effective_ids
                if not os.access(parent, os.R_OK | os.X_OK, effective_ids=effective):
                    raise ConfigError(
                        f"out is {str(out)!r}, where {str(parent)!r} cannot be read; allowed: directories of yours."
                    )
                return path
    except (OSError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"out is {str(out)!r}, which cannot be read: {error}; allowed: directories.") from error
    return path


def refuse_taken(directory: pathlib.Path) -> None:
    """Raise a `ConfigError` if a directory already holds something and so cannot be used for a new run."""
    try:
        found = {path.name for path in directory.iterdir()} if directory.exists() else set()
    except OSError as error:
        raise ConfigError(f"out is {str(directory)!r}, which cannot be read: {error}; allowed: directories.") from error
    if found & {"config.json", "checkpoints", "metrics.jsonl"}:
        raise ConfigError(f"out is {str(directory)!r}, which holds a run; allowed: another directory, or to resume.")
    if found - _BEFORE or (found and "lock" not in found):
        raise ConfigError(f"out is {str(directory)!r}, which is not empty; allowed: new or empty directories.")


# Files that a killed start may leave. The lock comes first; config.json, which turns a directory into a run's, comes last.
_BEFORE = {"lock", "members.json", "members.json.tmp", "config.json.tmp", "sweep.json.tmp"}


@contextlib.contextmanager
def locked(directory: pathlib.Path) -> Iterator[None]:
    """Keep other processes from writing into a run's directory. The lock of a killed process disappears with it.

    Raises:
        ConfigError: another process holds the lock, or it cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(directory / "lock", timeout=0)
        lock.acquire()
    except filelock.Timeout:
        raise ConfigError(
            f"out is {str(directory)!r}, in which another process trains; allowed: another directory, or to wait for it."
        ) from None
    except (OSError, ValueError, NotImplementedError) as error:
        raise ConfigError(
            f"out is {str(directory)!r}, which cannot be written: {error}; allowed: directories."
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def created(directory: pathlib.Path, learner: Learner, members: list[dict[str, Any]]) -> Iterator[None]:
    """Create the directory of a new run; undo this if an error occurs before anything is recorded.

    Raises:
        ConfigError: the directory is not empty or cannot be written.
    """
    existed = directory.exists()
    with locked(directory):
        refuse_taken(directory)
        try:
            with _as_config_error(directory):
                write_json(directory / "members.json", members)
            save_config(directory, learner)
            yield
        except BaseException:
            if not _holds_results(directory):
                for path in directory.iterdir():
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
                if not existed:
                    directory.rmdir()
            raise


def _holds_results(directory: pathlib.Path) -> bool:
    log = directory / "metrics.jsonl"
    return any((directory / "checkpoints").glob("[0-9]*")) or (log.exists() and log.stat().st_size > 0)


def refuse_other_settings(
    directory: pathlib.Path, learner: Learner, members: list[dict[str, Any]], free: Sequence[str] = ()
) -> None:
    """Refuse to continue a run with other members, rules, parts, or settings apart from those in ``free``."""
    config, replaced = load_config(directory)
    saved = flat(config) | {"members": load_members(directory, learner)}
    given = flat(learner.config) | {"members": members} | {name: saved[name] for name in free}
    different = differences(given, saved)
    if different:
        raise ConfigError(f"{str(directory)!r} holds a run under another configuration: {'; '.join(different)}.")
    if tuple(replaced) != learner.replaced:
        before, now = (", ".join(parts) or "none" for parts in (replaced, learner.replaced))
        raise ConfigError(
            f"{str(directory)!r} holds a run with parts of its own ({before}); the learner given has {now}."
        )
    _refuse_other_rules(directory, learner)


CHANGEABLE = (
    "total_steps",
    "checkpoint_interval",
    "checkpoint_minutes",
    "keep",
    "tensorboard",
    "loggers",
)  # these may be edited in config.json before a run continues


def lengthen(directory: pathlib.Path, learner: Learner) -> None:
    """Extend a run to the length in the learner's configuration, and record in ``run.json`` at which update this happened."""
    before, total = load_config(directory)[0].total_steps, learner.config.total_steps
    if total > before:
        save_config(directory, learner)
        update = max(Checkpoints(directory).updates(), default=0)
        stamp(directory, update, {"total_steps": total, "total_steps_before": before})


def trained_with(learner: Learner, members: list[dict[str, Any]]) -> dict[str, Any]:
    """Return all settings that the state of a run depends on, including those of each member and of JAX."""
    shared = {path: value for path, value in flat(learner.config).items() if path not in CHANGEABLE}
    own = {f"member {m['member']}: {name}": value for m in members for name, value in m.items()}
    return shared | own | {"jax_default_prng_impl": str(jax.config.values["jax_default_prng_impl"])}


def flat(config: ExperimentConfig) -> dict[str, Any]:
    """Return every setting by its path."""
    return flatten(to_dict(config))


def reopen(directory: pathlib.Path, learner: Learner | None, trust: bool) -> tuple[Learner, list[dict[str, Any]]]:
    """Return the learner and the members of a run.

    Args:
        directory: of the run.
        learner: the learner to use, for a run with parts that no configuration describes.
        trust: whether to import code from outside this package that the configuration names.

    Raises:
        ConfigError: there is no run, or it needs code that is not trusted or parts that are not given.
    """
    config, replaced = load_config(directory)
    if learner is not None:
        members = load_members(directory, learner)
        refuse_other_settings(directory, learner, members)
        return learner, members
    if replaced:
        raise ConfigError(
            f"{str(directory)!r} holds a run with parts of its own ({', '.join(replaced)}); give `learner`, which has them."
        )
    foreign = code_paths(config)
    if foreign and not trust:
        named = ", ".join(f"{path} {name!r}" for path, name in foreign.items())
        raise ConfigError(
            f"{str(directory)!r} holds a run that names code outside of this package ({named}); trust it (--trust), "
            "which imports it."
        )
    learner = make_learner(config)
    _refuse_other_rules(directory, learner)
    return learner, load_members(directory, learner)


def _refuse_other_rules(directory: pathlib.Path, learner: Learner) -> None:
    """Raise a `ConfigError` if the game had other rules when the run was recorded."""
    recorded = json.loads((directory / "config.json").read_text()).get("env_version", 0)
    if recorded != learner.env.version:
        raise ConfigError(
            f"{str(directory)!r} holds a run under version {recorded} of the rules of {learner.config.env.name!r}; allowed here: "
            f"version {learner.env.version}."
        )


def save_config(directory: pathlib.Path, learner: Learner) -> None:
    """Write ``config.json``: all settings, the version of the game's rules, and the parts that settings do not describe.

    Raises:
        ConfigError: it cannot be written.
    """
    about = {"format_version": FORMAT_VERSION, "env_version": learner.env.version}
    about |= {"replaced": learner.replaced} if learner.replaced else {}
    with _as_config_error(directory):
        write_json(directory / "config.json", about | to_dict(learner.config))


@contextlib.contextmanager
def _as_config_error(directory: pathlib.Path) -> Iterator[None]:
    """Name the directory that cannot be written."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"out is {str(directory)!r}, which cannot be written: {error}; allowed: directories."
        ) from error


def load_config(directory: pathlib.Path) -> tuple[ExperimentConfig, list[str]]:
    """Read ``config.json``: the configuration, and the names of the parts that it does not describe.

    Raises:
        ConfigError: there is no run, or its format is unknown to this version.
    """
    path = directory / "config.json"
    if (directory / "sweep.json").exists():
        raise ConfigError(f"{str(directory)!r} holds a sweep; allowed: a run, such as those in its folder `programs`.")
    if not path.exists():
        raise ConfigError(f"{str(directory)!r} holds no run; allowed: a directory that `train` wrote.")
    return read_config(path)


def read_config(path: pathlib.Path) -> tuple[ExperimentConfig, list[str]]:
    """Read a file like ``config.json``; see `load_config`."""
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{str(path)!r} cannot be read: {error}; allowed: what `train` writes.") from None
    version = values.pop("format_version", None) if isinstance(values, dict) else None
    if version != FORMAT_VERSION or type(version) is not int:
        raise ConfigError(
            f"format_version of {str(path)!r} is {version!r}; this version reads {FORMAT_VERSION}, from a run's config.json."
        )
    values.pop("env_version", None)
    replaced = values.pop("replaced", [])
    if not isinstance(replaced, list) or not all(isinstance(name, str) for name in replaced):
        raise ConfigError(f"replaced of {str(path)!r} is {replaced!r}; allowed: names of parts.")
    return from_json(json.dumps(values)), replaced


def load_members(directory: pathlib.Path, learner: Learner) -> list[dict[str, Any]]:
    """Read ``members.json``: each member's seed and its own values of settings.

    Raises:
        ConfigError: it does not belong to a run of this learner.
    """
    path = directory / "members.json"
    try:
        members = json.loads(path.read_text())
        numbered = [member["member"] for member in members] == list(range(len(members)))
        alike = len({tuple(member) for member in members}) == 1 and "seed" in members[0]
        values = population.values_of(members) if alike else {}
    except (OSError, ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise ConfigError(f"{str(path)!r} cannot be read: {error}; allowed: what `train` writes.") from None
    if not numbered or not alike:
        raise ConfigError(
            f"{str(path)!r} does not list members alike, each with its seed; allowed: what `train` writes."
        )
    population.check(learner, values)
    seeds = len({member["seed"] for member in members})
    if seeds != learner.config.seeds:
        raise ConfigError(
            f"{str(path)!r} lists members of {seeds} seeds, its configuration has {learner.config.seeds}."
        )
    return members


def stamp(directory: pathlib.Path, update: int, about: dict[str, Any]) -> None:
    """Add an entry to ``run.json``: when and on which machine this part of the run started, and ``about``."""
    path, parts = directory / "run.json", []
    try:
        parts = json.loads(path.read_text()) if path.exists() else []
        if not isinstance(parts, list):
            raise ValueError(f"it holds no list but {type(parts).__name__}")
    except (OSError, ValueError, RecursionError) as error:
        aside = path.with_name("run.damaged.json")
        warnings.warn(
            f"{str(path)!r} cannot be read ({error}); it is now {aside.name!r}, and a new one begun.", stacklevel=2
        )
        os.replace(path, aside)
        parts = []
    device = jax.devices()[0]
    parts.append(
        {
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "from_update": update,
            **about,
            "command": sys.argv,
            "platform": device.platform,
            "device": device.device_kind,
            "machine": platform.machine(),
            "python": platform.python_version(),
        }
        | {name: _version(name) for name in ("influence_jax", "jax", "jaxlib", "flax", "optax", "numpy")}
    )
    try:
        write_json(path, parts)
    except OSError as error:
        warnings.warn(f"{str(path)!r} cannot be written ({error}); training goes on.", stacklevel=2)


def _version(package: str) -> str | None:
    """Return the installed version of a package, or None if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by their paths."""
    flat = {}
    for name, value in values.items():
        flat |= (
            flatten(value, prefix if name == "options" else f"{prefix}{name}.")
            if isinstance(value, dict)
            else {prefix + name: value}
        )
    return flat
