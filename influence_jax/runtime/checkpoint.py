"""Saving and restoring the whole state of a run."""

import pathlib
from typing import Any

import jax
import orbax.checkpoint as ocp

from influence_jax.learner.state import LearnerState


class Checkpoints:
    """The checkpoints of one run, named by the updates done. A checkpoint that was not finished does not count."""

    def __init__(self, directory: pathlib.Path, keep: int | None = None):
        """Open those of a run's directory; of those saved from now on the newest ``keep`` stay."""
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, enable_async_checkpointing=False)
        self._manager = ocp.CheckpointManager((directory / "checkpoints").absolute(), options=options)

    def latest(self) -> int | None:
        """Return the updates done at the newest checkpoint, or None."""
        return self._manager.latest_step()

    def updates(self) -> list[int]:
        """Return the updates done at each checkpoint, ascending."""
        return sorted(self._manager.all_steps())

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


def _is_key(x: Any) -> bool:
    return jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)


def _unwrap_keys(tree: Any) -> Any:
    """Typed random keys cannot be stored as such."""
    return jax.tree.map(lambda x: jax.random.key_data(x) if _is_key(x) else x, tree)
