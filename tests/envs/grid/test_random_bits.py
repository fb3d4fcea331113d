"""Random words, ranks and numbers have the distributions that they claim."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from influence_jax.envs.grid import random_bits


def test_words_are_uniform_and_unrelated():
    draw = jax.jit(jax.vmap(random_bits.words, (0, None, None)), static_argnums=(1, 2))
    keys = jax.vmap(jax.random.key)(jnp.arange(8000))  # the least random keys there are

    def signs(stream):
        bits = np.unpackbits(np.asarray(draw(keys, 64, stream)).view(np.uint8)).reshape(len(keys), -1)
        return (2.0 * bits - 1.0).astype(np.float32)

    bits, others = signs(0), signs(1)
    related = bits.T @ bits / len(keys)
    np.testing.assert_array_equal(np.diag(related), 1)
    np.fill_diagonal(related, 0)
    for correlation in (bits.mean(axis=0), related, bits[1:].T @ bits[:-1] / len(keys), bits.T @ others / len(keys)):
        assert abs(correlation).max() < 6.5 / np.sqrt(len(keys))  # exceeded by chance once in a thousand such tests


@pytest.mark.parametrize("implementation", ["threefry2x32", "rbg", "unsafe_rbg"])
def test_keys_of_every_kind_have_words_of_their_own(implementation):
    """Seeds and splits of rbg keys repeat their first half in the second."""
    seeded = jax.vmap(lambda seed: jax.random.key(seed, impl=implementation))(jnp.arange(50))
    keys = jnp.concatenate([seeded, jax.random.split(seeded[0], 50)])
    drawn = np.asarray(jax.vmap(random_bits.words, (0, None))(keys, 3))
    assert (np.array([len(set(column)) for column in drawn.T]) == 100).all()


def test_ranks_are_uniform_permutations():
    words = jax.random.bits(jax.random.key(0), (6000, 3), jnp.uint32)
    drawn, counts = np.unique(jax.vmap(random_bits.ranks)(words), axis=0, return_counts=True)
    assert drawn.tolist() == [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
    assert (abs(counts - 1000) < 5 * np.sqrt(1000 * 5 / 6)).all()
    np.testing.assert_array_equal(random_bits.ranks(jnp.array([7, 3, 7, 0], jnp.uint32)), [2, 1, 3, 0])


def test_uniform_covers_zero_to_just_below_one():
    ends = random_bits.uniform(jnp.array([0, 255, 256, 2**32 - 1], jnp.uint32))
    np.testing.assert_array_equal(ends, np.array([0, 0, 2**-24, 1 - 2**-24], np.float32))
