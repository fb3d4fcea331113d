"""Saving and restoring the whole state of a run.

Orbax's `CheckpointManager` would delete old checkpoints for us and save four lines here. Checksums, notes, damage and the
remains of a killed process would still be ours, and it writes each state one folder deeper than existing runs have it.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import warnings
import zlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from influence_jax.config import ConfigError, ExperimentConfig, Hyperparams, declared
from influence_jax.learner.state import LearnerState
from influence_jax.runtime.files import write_json

CHECKSUMS = "checksums.json"
NOTES = "notes.json"
UNSEALED = (
    "_CHECKPOINT_METADATA",
    "commit_success.txt",
)  # what orbax writes last, which is not part of the state


class DamagedCheckpoint(Exception):
    """The files of a checkpoint differ from what was written."""


class Checkpoints:
    """The checkpoints of one run, named by the number of updates done.

    They are written in the background while training continues, and appear complete, with checksums of their files.
    """

    def __init__(self, directory: pathlib.Path, keep: int | None = None, settings: dict[str, Any] | None = None):
        """Open the checkpoints of a run's directory.

        Of the checkpoints saved from now on, the newest ``keep`` stay. Each records the ``settings``, plain data, that its state
        was trained with; a state trained with other settings is not restored.
        """
        self._directory, self._keep, self._settings = (directory / "checkpoints").absolute(), keep, settings
        self._saver: ocp.AsyncCheckpointer | None = None  # created by the first save
        self._saving: int | None = None  # the update that is being written
        self._begun: tuple[int, dict[str, Any]] = 0, {}  # its update and its notes

    def updates(self) -> list[int]:
        """Return the update of each checkpoint in ascending order, whether it can be read or not.

        Raises:
            ConfigError: the directory cannot be listed.
        """
        try:
            return self._updates()
        except OSError as error:
            raise ConfigError(
                f"checkpoints {str(self._directory)!r} cannot be read: {error}; allowed: what `train` writes."
            ) from error

    def _updates(self) -> list[int]:
        try:
            names = [path.name for path in self._directory.iterdir()]
        except FileNotFoundError:
            return []
        return sorted(int(name) for name in names if name.isdecimal() and name == str(int(name)))

    def save(self, state: LearnerState, update: int, **notes: Any) -> None:
        """Write ``state`` after ``update`` updates, with ``notes``; return as soon as it is copied from the device.

        Raises:
            OSError: this checkpoint or the previous one could not be written.
        """
        self.finish()
        if self._saver is None:
            options = ocp.options.AsyncOptions(post_finalization_callback=self._seal)
            self._saver = ocp.AsyncCheckpointer(ocp.StandardCheckpointHandler(), async_options=options)
        self._begun = update, {"settings": self._settings, **notes}
        with _as_os_error():
            self._directory.mkdir(exist_ok=True)
            arguments = ocp.args.StandardSave(_unwrap_keys(state))
            self._saver.save(self._directory / str(update), args=arguments, force=True)
        self._saving = update

    def _seal(self) -> None:
        """Write notes and checksums into a checkpoint whose state is written, before it appears."""
        if jax.process_index() == 0:
            update, notes = self._begun
            (path,) = self._directory.glob(f"{update}.orbax-checkpoint-tmp*")
            write_json(path / NOTES, notes)
            write_json(path / CHECKSUMS, _checksums(path))

    def notes(self, update: int) -> dict[str, Any]:
        """Return the notes of the checkpoint after ``update`` updates; empty if they cannot be read."""
        try:
            return json.loads((self._directory / str(update) / NOTES).read_text())
        except (OSError, ValueError, RecursionError):
            return {}

    def finish(self) -> None:
        """Wait until the last checkpoint is on disk, and delete old ones.

        Raises:
            OSError: it cannot be written.
        """
        update, self._saving = self._saving, None
        if update is None or self._saver is None:
            return
        try:
            with _as_os_error():
                self._saver.wait_until_finished()
        except OSError:
            self._discard()
            raise
        if jax.process_index() == 0:
            for older in self._updates()[: -self._keep] if self._keep else ():
                shutil.rmtree(self._directory / str(older), ignore_errors=True)

    def restore(self, like: LearnerState, update: int) -> LearnerState:
        """Read the state after ``update`` updates; ``like`` gives its structure, shapes and, if it has them, shardings.

        Raises:
            ConfigError: it was trained with other settings.
            DamagedCheckpoint: it cannot be read, or differs from what was written.
        """
        default = jax.sharding.SingleDeviceSharding(jax.devices()[0])
        plain = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=getattr(x, "sharding", None) or default),
            jax.eval_shape(_unwrap_keys, like),
        )
        path = self._directory / str(update)
        try:
            _verify(path)
            plain = _read(path, plain, self._later(update))
        except ConfigError:
            raise
        except Exception as error:  # a damaged file can make libraries raise anything
            kind = "" if isinstance(error, DamagedCheckpoint) else f"{type(error).__name__}: "
            raise DamagedCheckpoint(kind + str(error).partition("\n")[0]) from error
        return jax.tree.map(lambda x, y: jax.random.wrap_key_data(y) if _is_key(x) else y, like, plain)

    def _later(self, update: int) -> set[str]:
        """Return which settings came after a checkpoint was saved.

        Raises:
            ConfigError: it was trained with other settings.
        """
        noted = self.notes(update).get("settings")
        if noted is None or self._settings is None:
            return set()
        different = differences(self._settings, noted)
        if different:
            raise ConfigError(
                f"{str(self._directory.parent)!r} was trained with other settings until update {update}: "
                f"{'; '.join(different)}; allowed: what it was trained with."
            )
        return {*self._settings} - {*noted}

    def restore_newest(self, like: LearnerState) -> tuple[LearnerState, int] | None:
        """Return the newest readable state and its update, and warn of unreadable ones. None if there are no checkpoints.

        Raises:
            ConfigError: no checkpoint can be read, or it was trained with other settings.
        """
        problems = []
        for update in reversed(self.updates()):
            try:
                return self.restore(like, update), update
            except DamagedCheckpoint as error:
                problems.append(f"{str(self._directory / str(update))!r} is damaged ({error})")
                warnings.warn(f"checkpoint {problems[-1]}; the one before is used.", stacklevel=2)
        if problems:
            raise ConfigError(f"no checkpoint can be read: {'; '.join(problems)}; allowed: a run with a whole one.")
        return None

    def set_aside(self, after: int) -> None:
        """Move damaged checkpoints after ``after`` updates out of the way of new ones.

        Raises:
            ConfigError: they cannot be moved.
        """
        self._discard()
        aside = self._directory.parent / "damaged"
        try:
            for update in self._updates():
                if update > after:
                    aside.mkdir(exist_ok=True)
                    number = sum(path.name.startswith(f"{update}.") for path in aside.iterdir())
                    os.replace(self._directory / str(update), aside / f"{update}.{number}")
        except OSError as error:
            raise ConfigError(
                f"checkpoints that are damaged cannot be moved to {str(aside)!r}: {error}; allowed: a directory."
            ) from error

    def _discard(self) -> None:
        """Delete incomplete checkpoints, left by a killed process or a full disk."""
        for path in self._directory.glob("*.orbax-checkpoint-tmp*"):
            shutil.rmtree(path, ignore_errors=True)

    def close(self) -> None:
        """Wait until everything is written, as far as possible, and release the directory.

        Errors are ignored here: call `finish` first to see them. If something else failed, that error matters more.
        """
        with contextlib.suppress(OSError):
            self.finish()
        if self._saver is not None:
            self._saver.close()


def _read(path: pathlib.Path, like: LearnerState, later: set[str]) -> LearnerState:
    """Read a state. Hyper-parameters that came ``later`` are not in its files; they had their defaults."""
    defaults = {name: x for name, x in vars(Hyperparams()).items() if f"hyperparams.{name}" in later}
    stored = like
    if defaults:
        known = {name: x for name, x in vars(like.hyperparams).items() if name not in defaults}
        stored = dataclasses.replace(like, hyperparams=known)
    with contextlib.closing(ocp.Checkpointer(ocp.StandardCheckpointHandler())) as reader:
        state = reader.restore(path, args=ocp.args.StandardRestore(stored))
    if not defaults:
        return state
    shapes = vars(like.hyperparams)
    filled = {
        name: jax.device_put(np.full(shapes[name].shape, x, np.float32), shapes[name].sharding)
        for name, x in defaults.items()
    }
    return dataclasses.replace(state, hyperparams=Hyperparams(**state.hyperparams, **filled))


def _verify(path: pathlib.Path) -> None:
    """Raise a `DamagedCheckpoint` if files are missing or differ from what was written."""
    wanted, found = json.loads((path / CHECKSUMS).read_text()), _checksums(path)
    for name in sorted({*wanted, *found} - {*UNSEALED}):
        if wanted.get(name) != found.get(name):
            raise DamagedCheckpoint(f"{name} is {'missing' if name not in found else 'not as it was written'}")


def _checksums(path: pathlib.Path) -> dict[str, int]:
    files = (file for file in path.rglob("*") if file.is_file() and file.name != CHECKSUMS)
    return {file.relative_to(path).as_posix(): zlib.crc32(file.read_bytes()) for file in files}


def differences(given: dict[str, Any], before: dict[str, Any]) -> list[str]:
    """Describe how two sets of settings differ, as they appear in JSON; a setting that came after ``before`` had its default."""
    defaults = {path: value for path, _, value in declared(ExperimentConfig()) if path in given}
    given, before = (json.loads(json.dumps(values)) for values in (given, defaults | before))
    return [
        f"{name} is {given.get(name)!r}, was {before.get(name)!r}"
        for name in sorted({*given, *before})
        if given.get(name) != before.get(name)
    ]


@contextlib.contextmanager
def _as_os_error():
    """Raise `OSError` for disk errors that libraries wrap in errors of their own."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


def _is_key(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def _unwrap_keys(tree: Any) -> Any:
    """Replace typed random keys, which cannot be stored, by their data."""
    return jax.tree.map(lambda x: jax.random.key_data(x) if _is_key(x) else x, tree)
