"""The files of a sweep: ``sweep.json``, which describes it, and the directories of its programs."""

import contextlib
import json
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

from influence_jax.config import ConfigError, ExperimentConfig, code_paths, foreign_names, from_json
from influence_jax.runtime import directory
from influence_jax.sweeps.plan import PlannedProgram, TrialBlock, listed_blocks, listed_programs, make_programs
from influence_jax.sweeps.space import Space, make_space

FORMAT_VERSION = 1


def program_directory(path: pathlib.Path, number: int) -> pathlib.Path:
    """Return the directory of a program's run."""
    return path / "programs" / f"{number:03}"


@contextlib.contextmanager
def exclusive(path: pathlib.Path) -> Iterator[None]:
    """Keep other processes out of a sweep's directory; leave nothing in a new one if no program was started."""
    existed = path.exists()
    with directory.locked(path):
        new = not (path / "sweep.json").exists()
        try:
            yield
        finally:
            if new and not any(
                path.glob("programs/*/config.json")
            ):  # leave nothing that would block the corrected command
                for name in ("programs", "sweep.json", "lock"):
                    place = path / name
                    shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
                if not existed:
                    path.rmdir()


def read_about(path: pathlib.Path) -> dict[str, Any]:
    """Read ``sweep.json``: the space, the common configuration, which shard of the trials it is, the programs.

    Raises:
        ConfigError: there is no sweep, or its format is unknown to this version.
    """
    file = path / "sweep.json"
    if not file.exists():
        raise ConfigError(f"{str(path)!r} holds no sweep; allowed: a directory that `sweep` wrote.")
    try:
        about = json.loads(file.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{str(file)!r} cannot be read: {error}; allowed: what `sweep` writes.") from None
    if not isinstance(about, dict) or about.get("format_version") != FORMAT_VERSION:
        raise ConfigError(f"format_version of {str(file)!r} is not {FORMAT_VERSION}, which this version reads.")
    return about


def common_config(path: pathlib.Path, about: dict[str, Any]) -> ExperimentConfig:
    """Return the configuration that all trials of a sweep share; imports no code."""
    with _as_written(path):
        return from_json(json.dumps(about["config"]))


def space_and_blocks(
    path: pathlib.Path, about: dict[str, Any], config: ExperimentConfig
) -> tuple[Space, list[TrialBlock]]:
    """Return the settings that a sweep's trials vary, and the blocks of trials that form its programs."""
    with _as_written(path):
        space, blocks = make_space(config, **about["space"]), listed_blocks(config, about["programs"])
        known = range(len(space.settings()))
        if not all(trial in known for block in blocks for trial in block.trials):
            raise _other_trials(path)
        return space, blocks


def trusted(
    path: pathlib.Path, about: dict[str, Any], trust: bool
) -> tuple[ExperimentConfig, Space, list[PlannedProgram]]:
    """Return a whole sweep as described in ``sweep.json``; code from outside this package is imported only if trusted."""

    def refuse(named: list[str]) -> None:
        if named and not trust:
            raise ConfigError(
                f"{str(path)!r} holds a sweep that names code outside of this package ({', '.join(named)}); trust it to read it."
            )

    config = common_config(path, about)
    refuse([f"{setting} {name!r}" for setting, name in code_paths(config).items()])
    space, blocks = space_and_blocks(path, about, config)
    settings = (setting for trial in space.settings() for setting in trial.items())
    varied = dict.fromkeys(name for setting, value in settings for name in foreign_names(setting, value))
    refuse(list(map(repr, varied)))
    with _as_written(path):
        refuse([repr(name) for name in map(about.get("search", {}).get, ("sampler", "pruner")) if name is not None])
        programs = make_programs(config, space, blocks)
        if json.loads(json.dumps(listed_programs(programs))) != about["programs"]:
            raise _other_trials(path)
    return config, space, programs


def _other_trials(path: pathlib.Path) -> ConfigError:
    return ConfigError(f"{str(path / 'sweep.json')!r} lists other trials than its own; allowed: what `sweep` writes.")


@contextlib.contextmanager
def _as_written(path: pathlib.Path) -> Iterator[None]:
    """Name the file whose content is not what `sweep` writes."""
    try:
        yield
    except ConfigError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, ZeroDivisionError) as error:
        problem = f"{type(error).__name__}: {error}"
        raise ConfigError(
            f"{str(path / 'sweep.json')!r} cannot be read: {problem}; allowed: what `sweep` writes."
        ) from None
