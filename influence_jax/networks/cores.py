"""Cores other than the LSTM: a GRU and a layer without memory. As in the LSTM, symbols enter linearly."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import linen as nn

from influence_jax.networks.matmul import matmul, rounded
from influence_jax.networks.recurrent import Carry, reset_carry


class SymbolicCore(nn.Module):
    """What these cores share; see `influence_jax.networks.recurrent.SymbolicLSTM`, which has a hand-written backward pass.

    A subclass defines how many inputs each unit has (``entries``), what the recurrent state adds to the gates (``remember``),
    and how to step.
    """

    size: int
    features: int
    blocks: int
    symbols: int
    precision: str = "float32"

    def setup(self):
        """Create the parameters."""
        rows, width = self.features + self.blocks * self.symbols, self.entries * self.size
        self.input_kernel = self.param("input_kernel", nn.initializers.lecun_normal(), (rows, width), jnp.float32)
        self.bias = self.param("bias", nn.initializers.zeros_init(), (width,), jnp.float32)

    @staticmethod
    def zero_carry(shape: tuple[int, ...], size: int) -> Carry:
        """Return the state at the start of an episode; it has no cell."""
        return Carry(hidden=jnp.zeros((*shape, size), jnp.float32), cell=jnp.zeros((*shape, 0), jnp.float32))

    def precompute(self, carry: Carry, features: jax.Array) -> jax.Array:
        """Return the gates before any symbol is known."""
        seen = matmul(features, self.input_kernel[: self.features], self.precision) + self.bias
        return self.remember(carry, seen)

    def resolve(self, carry: Carry, gates: jax.Array, context: jax.Array) -> tuple[Carry, jax.Array]:
        """Add the symbols ``i32[..., L]`` to precomputed gates and step; return ``(carry, gates with symbols)``."""
        if self.blocks:
            gates = add(gates, self._one_hot(context) @ self._symbol_rows())
        return self.step(carry, gates), gates

    def alternatives(self, carry: Carry, gates: jax.Array, symbol: jax.Array, block: jax.Array | int) -> jax.Array:
        """Return the hidden state ``f32[..., C, H]`` if ``block`` held each of its C symbols instead of ``symbol``."""
        rows = jax.lax.dynamic_slice_in_dim(self._symbol_rows(), block * self.symbols, self.symbols)
        without = add(gates, -jax.nn.one_hot(symbol, self.symbols, dtype=jnp.float32) @ rows)
        each = add(jnp.repeat(without[..., None, :], self.symbols, axis=-2), rows)
        return self.step(jax.tree.map(lambda x: x[..., None, :], carry), each).hidden

    def unroll(
        self, carry: Carry, features: jax.Array, context: jax.Array, first: jax.Array, cached: Carry | None = None
    ) -> jax.Array:
        """Return the hidden states ``f32[T, ..., H]`` of a rollout; the state is reset at ``first bool[T, ...]``."""
        del cached  # the states are recomputed for the gradient
        inputs = jnp.concatenate([features, self._one_hot(context)], axis=-1)
        inputs = matmul(inputs, self.input_kernel, self.precision) + self.bias

        def step(carry, now):
            inputs, first = now
            carry = reset_carry(carry, first)
            carry = self.step(carry, self.remember(carry, inputs))
            return carry, carry.hidden

        return jax.lax.scan(step, carry, (inputs, first))[1]

    def _symbol_rows(self) -> jax.Array:
        return rounded(self.input_kernel[self.features :], self.precision)

    def _one_hot(self, context: jax.Array) -> jax.Array:
        one_hot = jax.nn.one_hot(context, self.symbols, dtype=jnp.float32)
        return one_hot.reshape(*context.shape[:-1], self.blocks * self.symbols)


def add(gates: jax.Array, entering: jax.Array) -> jax.Array:
    """Return ``gates f32[..., G]`` with ``f32[..., W]`` added to the first W."""
    return gates.at[..., : entering.shape[-1]].add(entering)


class SymbolicGRU(SymbolicCore):
    """A gated recurrent unit (Cho et al. 2014) that resets after the matrix product, as in cuDNN and flax.

    Its gates are ``f32[..., 4H]``: reset, update, the candidate's input part, the candidate's recurrent part.
    """

    entries = 3

    def setup(self):
        """Create the parameters; gate order is reset, update, candidate."""
        super().setup()
        shape = self.size, 3 * self.size
        self.recurrent_kernel = self.param("recurrent_kernel", nn.initializers.lecun_normal(), shape, jnp.float32)
        self.recurrent_bias = self.param("recurrent_bias", nn.initializers.zeros_init(), (self.size,), jnp.float32)

    def remember(self, carry: Carry, seen: jax.Array) -> jax.Array:
        """Return the complete gates from the state and the input part, ``f32[..., 3H]``."""
        kept = matmul(carry.hidden, self.recurrent_kernel, self.precision)
        return jnp.concatenate(
            [add(seen, kept[..., : 2 * self.size]), kept[..., 2 * self.size :] + self.recurrent_bias], axis=-1
        )

    def step(self, carry: Carry, gates: jax.Array) -> Carry:
        """Apply the nonlinearities to complete gates."""
        reset, update, seen, kept = jnp.split(gates, 4, axis=-1)
        update = nn.sigmoid(update)
        candidate = jnp.tanh(seen + nn.sigmoid(reset) * kept)
        return dataclasses.replace(carry, hidden=(1.0 - update) * candidate + update * carry.hidden)


class SymbolicDense(SymbolicCore):
    """A dense layer with tanh and without memory."""

    entries = 1

    def remember(self, carry: Carry, seen: jax.Array) -> jax.Array:
        """Return the input part, ``f32[..., H]``, unchanged."""
        del carry
        return seen

    def step(self, carry: Carry, gates: jax.Array) -> Carry:
        """Apply the nonlinearity."""
        return dataclasses.replace(carry, hidden=jnp.tanh(gates))
