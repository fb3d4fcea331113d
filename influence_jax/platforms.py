"""Functions with different versions for different platforms."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import jax

_alone = jax.make_user_context(None)  # the only platform to trace for; None for any


def by_platform(*args: Any, default: Callable, **forms: Callable) -> Any:
    """Call the version for the platform that a program is compiled for, ``cpu``, ``cuda`` or ``tpu``, or else ``default``.

    Like `jax.lax.platform_dependent`, which traces every version and selects one when it lowers; but within `traced_for` other
    versions are not even traced, which saves a third of the tracing time.
    """
    if _alone.value is None:
        return jax.lax.platform_dependent(*args, default=default, **forms)
    return forms.get(_alone.value, default)(*args)


def traced_for(platform: str | None) -> contextlib.AbstractContextManager:
    """Trace for one platform only, or for any with ``None``; the result must not be lowered for another platform."""
    return _alone(platform)


@contextlib.contextmanager
def usual_promotion() -> Iterator[None]:
    """Broadcast and promote as JAX does by default; may be used as a decorator.

    A process may be strict (``jax_numpy_rank_promotion``, ``jax_numpy_dtype_promotion``) to find errors in its own code.
    Results do not depend on these settings.
    """
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


@contextlib.contextmanager
def usual_tracing() -> Iterator[None]:
    """Trace as this package traces its programs: with `usual_promotion`, and for a CPU only if there is nothing else."""
    alone = "cpu" if jax.default_backend() == "cpu" else None
    with usual_promotion(), traced_for(alone):
        yield
