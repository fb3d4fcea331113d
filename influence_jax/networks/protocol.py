"""The network interface: what the learner and the influence models need from a network."""

from typing import Any, Protocol, runtime_checkable

import jax

from influence_jax.types import CachedActivations, Observation


@runtime_checkable
class Network(Protocol):
    """One agent's network as pure functions of its parameters; callers vmap over agents.

    Branches are named: "policy", and "moa" if the spec has ``moa_targets``; each has its own recurrent state, its carry. The
    policy's heads are "action" (logits f32[..., A]) and "action_value" (f32[...]) and, if the spec has messages, "message" and
    "message_value". The values may come from a third branch, "critic", instead. The branch "moa" has the head "prediction"
    (logits f32[..., J, A]).

    A step is split at the points where influence intervenes. ``precompute`` does everything that does not need symbols,
    ``resolve`` adds the symbols and steps the recurrent state, and ``alternatives`` returns the heads for every symbol that
    one block could have held. The latter two should be cheap. Symbols are integers; -1 stands for none.
    """

    def init(self, key: jax.Array, observation_shape: tuple[int, int, int]) -> Any:
        """Return one agent's parameters for images of shape ``(V, V, 3)``."""
        ...

    def zero_carry(self, shape: tuple[int, ...]) -> dict[str, Any]:
        """Return each branch's carry at the start of an episode, leading axes ``shape``."""
        ...

    def hidden(self, carry: Any) -> jax.Array:
        """Return the hidden state that a branch's heads read, ``f32[..., H]`` from -1 to 1."""
        ...

    def encode(self, params: Any, observation: jax.Array | Observation) -> dict[str, jax.Array]:
        """Return each branch's features ``f32[..., F]`` of images ``u8[..., V, V, 3]``."""
        ...

    def with_activations(self, cached: dict[str, CachedActivations] | None) -> "Network":
        """Return the network with its activations from acting, by branch and time first; None removes them.

        Its `encode` and `unroll` may then return cached values and compute only gradients.
        """
        ...

    def precompute(self, params: Any, branch: str, carry: Any, features: jax.Array) -> jax.Array:
        """Return a branch's gates ``f32[..., G]`` before its symbols are known."""
        ...

    def resolve(
        self, params: Any, branch: str, carry: Any, gates: jax.Array, context: jax.Array
    ) -> tuple[Any, jax.Array, dict[str, jax.Array]]:
        """Step a branch with the symbols ``i32[..., L]`` and return ``(carry, gates with all symbols, heads)``."""
        ...

    def alternatives(
        self, params: Any, branch: str, carry: Any, gates: jax.Array, symbol: jax.Array, block: jax.Array | int
    ) -> dict[str, jax.Array]:
        """Return the heads ``[..., C, ...]`` if ``block`` held each of its C symbols instead of ``symbol i32[...]``.

        ``carry`` is that before the step, and ``gates`` are those that `resolve` returned.
        """
        ...

    def unroll(
        self, params: Any, branch: str, carry: Any, features: jax.Array, context: jax.Array, first: jax.Array
    ) -> dict[str, jax.Array]:
        """Return the heads ``[T, ...]`` over a rollout; the carry is reset to zero at ``first bool[T, ...]``."""
        ...
