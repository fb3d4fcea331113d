"""Saving and restoring a run: its configuration once, its whole learner state every so often."""

import dataclasses
import json
import pathlib
from typing import Any

import jax
import orbax.checkpoint as ocp

from influence_jax.config import ConfigError, ExperimentConfig, from_json, to_json
from influence_jax.learner.update import LearnerState

FORMAT_VERSION = 1  # of everything in a run's directory; raise it when older files can no longer be read
KEPT = 2  # newest checkpoints


class Checkpoints:
    """The checkpoints of one run, named by the updates done. A checkpoint that was not finished does not count."""

    def __init__(self, directory: pathlib.Path):
        options = ocp.CheckpointManagerOptions(max_to_keep=KEPT, enable_async_checkpointing=False)
        self._manager = ocp.CheckpointManager((directory / "checkpoints").absolute(), options=options)

    def latest(self) -> int | None:
        """Return the updates done at the newest checkpoint, or None."""
        return self._manager.latest_step()

    def save(self, state: LearnerState, update: int) -> None:
        """Write ``state`` after ``update`` updates."""
        self._manager.save(update, args=ocp.args.StandardSave(_unwrap_keys(state)))

    def restore(self, like: LearnerState, update: int) -> LearnerState:
        """Read the state after ``update`` updates onto the default device; ``like`` gives its structure and shapes."""
        device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
        plain = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=device), jax.eval_shape(_unwrap_keys, like)
        )
        plain = self._manager.restore(update, args=ocp.args.StandardRestore(plain))
        return jax.tree.map(lambda x, y: jax.random.wrap_key_data(y) if _is_key(x) else y, like, plain)

    def close(self) -> None:
        """Let go of the directory."""
        self._manager.close()


def save_config(config: ExperimentConfig, directory: pathlib.Path) -> None:
    """Write ``config.json``."""
    text = json.dumps({"format_version": FORMAT_VERSION} | json.loads(to_json(config)), indent=2) + "\n"
    (directory / "config.json").write_text(text)


def load_config(directory: pathlib.Path) -> ExperimentConfig:
    """Read ``config.json``; refuse a directory without a run and a format that this version does not know."""
    path = directory / "config.json"
    if not path.exists():
        raise ConfigError(f"{str(directory)!r} holds no run; allowed is a directory that `train` wrote.")
    values = json.loads(path.read_text())
    version = values.pop("format_version", None)
    if version != FORMAT_VERSION:
        raise ConfigError(f"format_version of {str(path)!r} is {version!r}; this version reads {FORMAT_VERSION}.")
    return from_json(json.dumps(values))


def differences(saved: ExperimentConfig, given: ExperimentConfig) -> list[str]:
    """Return one text for each setting in which two configurations differ."""
    saved, given = (_flatten(dataclasses.asdict(config)) for config in (saved, given))
    return [f"{path} is {given[path]!r}, was {saved[path]!r}" for path in saved if saved[path] != given[path]]


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in values.items():
        flat |= _flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def _is_key(x: Any) -> bool:
    return jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)


def _unwrap_keys(tree: Any) -> Any:
    """Typed random keys cannot be stored as such."""
    return jax.tree.map(lambda x: jax.random.key_data(x) if _is_key(x) else x, tree)
