"""The recurrent core: an LSTM whose symbolic inputs can be changed without running it again."""

import functools

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct

from influence_jax.networks.matmul import matmul, rounded


@struct.dataclass
class Carry:
    """The recurrent state of a core."""

    hidden: jax.Array  # f32[...,H]
    cell: jax.Array  # f32[...,H], in an LSTM only; otherwise f32[...,0]


def reset_carry(carry: Carry, first: jax.Array) -> Carry:
    """Set the state to zero where ``first bool[...]`` holds."""
    return jax.tree.map(lambda x: jnp.where(first[..., None], jnp.zeros((), x.dtype), x), carry)


class SymbolicLSTM(nn.Module):
    """An LSTM over features and ``blocks`` one-hot symbols, split where the symbols enter.

    The symbols enter the gates linearly, so the gates for another symbol differ by one row of the input kernel::

        gates = features W_f + hidden U + b + sum_l W_l[symbol_l]

    `precompute` does the costly part, `resolve` adds the symbols and steps, and `alternatives` steps with every symbol of one
    block. A symbol of -1 stands for the zero vector.
    """

    size: int
    features: int
    blocks: int
    symbols: int
    precision: str = "float32"

    def setup(self):
        """Create the parameters; gate order is input, forget, cell, output."""
        # Scaled by fan-in, not by all 4H outputs, so that observations reach the heads from the start (docs/learner.md). Not
        # orthogonal: several QR decompositions at once deadlock XLA:CPU on two cores (jaxlib 0.10.2).
        initializer = nn.initializers.lecun_normal()
        width = 4 * self.size
        rows = self.features + self.blocks * self.symbols
        self.input_kernel = self.param("input_kernel", initializer, (rows, width), jnp.float32)
        self.recurrent_kernel = self.param("recurrent_kernel", initializer, (self.size, width), jnp.float32)
        self.bias = self.param("bias", lambda _: jnp.zeros(width, jnp.float32).at[self.size : 2 * self.size].set(1.0))

    @staticmethod
    def zero_carry(shape: tuple[int, ...], size: int) -> Carry:
        """Return the state at the start of an episode."""
        zeros = jnp.zeros((*shape, size), jnp.float32)
        return Carry(hidden=zeros, cell=zeros)

    def precompute(self, carry: Carry, features: jax.Array) -> jax.Array:
        """Return the gates before any symbol is known, ``f32[..., 4H]``."""
        kernel = jnp.concatenate([self.input_kernel[: self.features], self.recurrent_kernel])
        return matmul(jnp.concatenate([features, carry.hidden], axis=-1), kernel, self.precision) + self.bias

    def resolve(self, carry: Carry, gates: jax.Array, context: jax.Array) -> tuple[Carry, jax.Array]:
        """Add the symbols ``i32[..., L]`` to precomputed gates and step; return ``(carry, gates with symbols)``."""
        if self.blocks:
            gates = gates + self._one_hot(context) @ self._symbol_rows()
        return step_gates(carry, gates), gates

    def alternatives(self, carry: Carry, gates: jax.Array, symbol: jax.Array, block: jax.Array | int) -> jax.Array:
        """Return the hidden state ``f32[..., C, H]`` if ``block`` held each of its C symbols instead of ``symbol``.

        ``gates`` include all real symbols, as `resolve` returned them.
        """
        rows = jax.lax.dynamic_slice_in_dim(self._symbol_rows(), block * self.symbols, self.symbols)
        without = gates - jax.nn.one_hot(symbol, self.symbols, dtype=jnp.float32) @ rows
        return step_gates_with_each(carry, without, rows)

    def unroll(
        self, carry: Carry, features: jax.Array, context: jax.Array, first: jax.Array, cached: Carry | None = None
    ):
        """Return the hidden states ``f32[T, ..., H]`` of a rollout, reset at ``first bool[T, ...]``; see `unroll`."""
        weights = Weights(self.input_kernel, self.recurrent_kernel, self.bias)
        return unroll(self.precision, weights, carry, features, self._one_hot(context), first, cached)

    def _symbol_rows(self) -> jax.Array:
        return rounded(self.input_kernel[self.features :], self.precision)

    def _one_hot(self, context: jax.Array) -> jax.Array:
        return jax.nn.one_hot(context, self.symbols, dtype=jnp.float32).reshape(
            *context.shape[:-1], self.blocks * self.symbols
        )


@struct.dataclass
class Weights:
    """The parameters of an LSTM, gate order input, forget, cell, output."""

    input_kernel: jax.Array  # f32[F + symbols, 4H]
    recurrent_kernel: jax.Array  # f32[H, 4H]
    bias: jax.Array  # f32[4H]


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def unroll(precision: str, weights: Weights, carry: Carry, features, symbols, first, cached: Carry | None) -> jax.Array:
    """Run an LSTM over ``features f32[T, ..., F]`` and one-hot ``symbols``; return its hidden states ``f32[T, ..., H]``.

    If the states after every step are ``cached`` (leading T), only the gradient is computed. The backward pass stores nothing
    but the states: recomputing the gates costs no more than storing and loading them.
    """
    return _states(precision, weights, carry, features, symbols, first, cached).hidden


def _states(precision, weights, carry, features, symbols, first, cached) -> Carry:
    if cached is not None:
        return cached
    inputs = matmul(jnp.concatenate([features, symbols], axis=-1), weights.input_kernel, precision) + weights.bias

    def step(carry, now):
        inputs, first = now
        carry = reset_carry(carry, first)
        carry = step_gates(carry, inputs + matmul(carry.hidden, weights.recurrent_kernel, precision))
        return carry, carry

    return jax.lax.scan(step, carry, (inputs, first))[1]


def _unroll_forward(precision, weights, carry, features, symbols, first, cached):
    states = _states(precision, weights, carry, features, symbols, first, cached)
    return states.hidden, (weights, carry, features, symbols, first, states)


def _unroll_backward(precision, residuals, d_hidden):
    weights, carry, features, symbols, first, states = residuals
    num_features = features.shape[-1]
    num_inputs = num_features + symbols.shape[-1]
    before = jax.tree.map(lambda start, after: jnp.concatenate([start[None], after[:-1]]), carry, states)
    before = reset_carry(before, first)
    inputs = jnp.concatenate([features, symbols, before.hidden], axis=-1)
    kernel = jnp.concatenate([weights.input_kernel, weights.recurrent_kernel])
    transposed = kernel.T

    def step(carried, now):
        later, d_kernel, d_bias = carried
        d_hidden, inputs, cell_before, cell, first = now
        i, f, g, o = jnp.split(matmul(inputs, kernel, precision) + weights.bias, 4, axis=-1)
        i, f, g, o = nn.sigmoid(i), nn.sigmoid(f), jnp.tanh(g), nn.sigmoid(o)
        squashed = jnp.tanh(cell)
        d_hidden += later.hidden
        d_cell = later.cell + d_hidden * o * (1.0 - squashed * squashed)
        d_gates = jnp.concatenate(
            [
                d_cell * g * i * (1.0 - i),
                d_cell * cell_before * f * (1.0 - f),
                d_cell * i * (1.0 - g * g),
                d_hidden * squashed * o * (1.0 - o),
            ],
            axis=-1,
        )
        d_inputs = matmul(d_gates, transposed, precision)
        earlier = reset_carry(Carry(hidden=d_inputs[..., num_inputs:], cell=d_cell * f), first)
        rows, d_rows = (x.reshape(-1, x.shape[-1]) for x in (inputs, d_gates))
        return (earlier, d_kernel + matmul(rows.T, d_rows, precision), d_bias + d_rows.sum(axis=0)), d_inputs[
            ..., :num_features
        ]

    nothing = jax.tree.map(jnp.zeros_like, (carry, kernel, weights.bias))
    steps = d_hidden, inputs, before.cell, states.cell, first
    (d_carry, d_kernel, d_bias), d_features = jax.lax.scan(step, nothing, steps, reverse=True)
    d_weights = Weights(d_kernel[:num_inputs], d_kernel[num_inputs:], d_bias)
    return d_weights, d_carry, d_features, None, None, None


unroll.defvjp(_unroll_forward, _unroll_backward)


def step_gates(carry: Carry, gates: jax.Array) -> Carry:
    """Apply the LSTM's nonlinearities to complete gates ``f32[..., 4H]``."""
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    cell = nn.sigmoid(f) * carry.cell + nn.sigmoid(i) * jnp.tanh(g)
    return Carry(hidden=nn.sigmoid(o) * jnp.tanh(cell), cell=cell)


def step_gates_with_each(carry: Carry, gates: jax.Array, rows: jax.Array) -> jax.Array:
    """Return the hidden states ``f32[..., C, H]`` of `step_gates` for ``gates f32[..., 4H]`` plus each of ``rows f32[C, 4H]``.

    Since ``exp(gate + row)`` is ``exp(gate) exp(row)``, exponentials, which are most of the work, are computed once per gate
    and once per row instead of once per pair, in about half the time. Values are clipped at 80 (40 for the cell's gate), which
    only matters if a gate and a row are both that large and cancel.
    """

    def exponentials(x, limit=80.0):
        i, f, g, o = jnp.split(x, 4, axis=-1)
        return [
            jnp.exp(-scale * jnp.clip(y, -limit / scale, limit / scale))
            for y, scale in ((i, 1), (f, 1), (g, 2), (o, 1))
        ]

    pairs = zip(exponentials(gates), exponentials(rows), strict=True)
    i, f, g, o = (1.0 / (1.0 + a[..., None, :] * b) for a, b in pairs)
    cell = f * carry.cell[..., None, :] + i * (2.0 * g - 1.0)
    return o * jnp.tanh(cell)
