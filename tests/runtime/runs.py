"""Stopping a run, and comparing two."""

import jax
import numpy as np

WALL_CLOCK = ("steps_per_second", "seconds")


def stop_at(update):
    def callback(point):
        if point.update == update:
            raise KeyboardInterrupt

    return callback


def assert_same(a, b):
    """Bit for bit, typed keys included."""
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
            x, y = jax.random.key_data(x), jax.random.key_data(y)
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(np.asarray(x), np.asarray(y))


def assert_same_metrics(a, b):
    assert a.keys() == b.keys()
    for name in a:
        if name not in WALL_CLOCK:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)
