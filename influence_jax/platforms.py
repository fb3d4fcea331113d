"""Functions that have a form of their own for some platforms."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import jax

_alone = jax.make_user_context(None)  # the one platform that is traced for; None: any


def by_platform(*args: Any, default: Callable, **forms: Callable) -> Any:
    """Call the form for the platform that a program is compiled for, ``cpu``, ``cuda`` or ``tpu``, or else ``default``.

    As `jax.lax.platform_dependent`, which traces every form and chooses when it lowers; but within `traced_for` the others are
    not even traced, which is a third of the time that tracing takes.
    """
    if _alone.value is None:
        return jax.lax.platform_dependent(*args, default=default, **forms)
    return forms.get(_alone.value, default)(*args)


def traced_for(platform: str | None) -> contextlib.AbstractContextManager:
    """Trace for one platform alone, or again for any, ``None``; what is traced so must not be lowered for another one."""
    return _alone(platform)


@contextlib.contextmanager
def usual_tracing() -> Iterator[None]:
    """Trace as programs of this package are traced, whatever the process asks of its own code; a decorator, too.

    Broadcast and promote as JAX does by default, also where ``jax_numpy_rank_promotion`` or ``..._dtype_promotion`` is strict;
    results do not depend on these settings, which are for finding faults in code of one's own. Where there is nothing but a CPU,
    trace for it alone.
    """
    alone = "cpu" if jax.default_backend() == "cpu" else None
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"), traced_for(alone):
        yield
