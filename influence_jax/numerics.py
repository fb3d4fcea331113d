"""How programs of this package are traced, whatever the process asks of its own code."""

import contextlib
from collections.abc import Iterator

import jax


@contextlib.contextmanager
def usual_promotion() -> Iterator[None]:
    """Broadcast and promote as JAX does by default, also where ``jax_numpy_rank_promotion`` or ``..._dtype_promotion`` is strict.

    It is a decorator, too. Results do not depend on these settings, which are for finding faults in code of one's own.
    """
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield
