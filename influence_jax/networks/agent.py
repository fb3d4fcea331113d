"""One agent's network: a shared convolution, a policy branch and, if requested, a separate critic and a model of other agents.

Everything here is for one agent. The learner vmaps over agents, whose parameters are stacked and never shared.
"""

import dataclasses
import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from influence_jax.config import NetworkConfig
from influence_jax.networks.cores import SymbolicCore, SymbolicDense, SymbolicGRU
from influence_jax.networks.encoder import ConvEncoder
from influence_jax.networks.matmul import matmul
from influence_jax.networks.perspective import perspectives
from influence_jax.networks.recurrent import Carry, SymbolicLSTM
from influence_jax.platforms import by_platform
from influence_jax.types import CachedActivations, NetworkSpec, Observation


def dense(units: int, precision: str, **options) -> nn.Dense:
    """Return a dense layer whose matrix product is `matmul`."""
    return nn.Dense(units, dot_general=lambda x, kernel, *_, **__: matmul(x, kernel, precision), **options)


class Branch(nn.Module):
    """Two dense layers and a recurrent core."""

    sizes: NetworkConfig
    blocks: int
    symbols: int
    core_type: type[SymbolicLSTM | SymbolicCore]
    extra_inputs: int = 0
    images: int = 1  # each goes through the dense layers, and the core reads all their features

    def setup(self):
        """Create the layers."""
        sizes = self.sizes
        he = nn.initializers.he_normal()  # preserves the scale of activations through ReLUs
        self.first = dense(sizes.hidden_size, sizes.precision, kernel_init=he)
        self.second = dense(sizes.hidden_size, sizes.precision, kernel_init=he)
        self.norm = nn.LayerNorm() if sizes.normalise_features else lambda features: features
        inputs = self.images * sizes.hidden_size + self.extra_inputs
        self.core = self.core_type(sizes.core_size, inputs, self.blocks, self.symbols, sizes.precision)

    def trunk(self, image: jax.Array) -> jax.Array:
        """Return the features of an encoded image, or, of several ``f32[..., I, F]``, those of all side by side."""
        features = self.norm(nn.relu(self.second(nn.relu(self.first(image)))))
        return features if self.images == 1 else features.reshape(*features.shape[:-2], -1)


class AgentNetwork(nn.Module):
    """The network of the supplement's section 10.2, with a method for every step at which influence intervenes.

    Branches are named. "policy" has the heads "action" and "action_value" and, for agents that talk, "message" and
    "message_value". A separate critic, the branch "critic", has the values instead. "moa" has the head "prediction",
    ``f32[..., J, A]``.
    """

    sizes: NetworkConfig
    spec: NetworkSpec
    core_type: type[SymbolicLSTM | SymbolicCore] = SymbolicLSTM

    def setup(self):
        """Create the branches and their heads."""
        actions, targets, precision = self.spec.num_actions, self.spec.moa_targets, self.sizes.precision
        small = nn.initializers.variance_scaling(0.01**2, "fan_in", "normal")  # near-uniform distributions at the start
        self.encoder = ConvEncoder(self.sizes.conv_channels, precision)
        reads = self.spec.context_blocks, self.spec.context_symbols, self.core_type, self.spec.extra_inputs
        self.policy = Branch(self.sizes, *reads)
        self.action_head = dense(actions, precision, kernel_init=small)
        self.value_head = dense(1, precision)
        if self.sizes.critic == "separate":
            self.critic = Branch(self.sizes, *reads)
        if self.spec.num_messages:
            self.message_embedding = dense(self.sizes.message_embedding, precision)
            self.message_head = dense(self.spec.num_messages, precision, kernel_init=small)
            self.message_value_head = dense(1, precision)
        if targets:
            images = targets + 1 if self.sizes.moa_encoder == "perspective" else 1
            self.moa = Branch(self.sizes, targets + 1, actions, self.core_type, images=images)
            if self.sizes.moa_encoder != "shared":
                self.moa_encoder = ConvEncoder(self.sizes.conv_channels, precision)
            self.moa_head = dense(targets * actions, precision, kernel_init=small)

    @property
    def branches(self) -> dict[str, Branch]:
        """The branches of this network by name."""
        return {name: getattr(self, name) for name in branch_names(self.sizes, self.spec)}

    def encode(self, observation: jax.Array) -> dict[str, jax.Array]:
        """Return each branch's features ``f32[..., F]`` of images ``u8[..., V, V, 3]``."""
        images = dict.fromkeys(self.branches, self.encoder(observation))
        if "critic" in images:
            images["critic"] = jax.lax.stop_gradient(images["critic"])
        if "moa" in images and self.sizes.moa_encoder == "own":
            images["moa"] = self.moa_encoder(observation)
        elif "moa" in images and self.sizes.moa_encoder == "perspective":
            images["moa"] = self.moa_encoder(perspectives(observation, np.array(self.spec.agent_colours, np.uint8)))
        return {name: branch.trunk(images[name]) for name, branch in self.branches.items()}

    def precompute(self, branch: str, carry: Carry, features: jax.Array) -> jax.Array:
        """Return a branch's gates before its symbols are known."""
        return self.branches[branch].core.precompute(carry, features)

    def resolve(self, branch: str, carry: Carry, gates: jax.Array, context: jax.Array):
        """Step a branch with the given symbols and return ``(carry, gates, heads)``."""
        carry, gates = self.branches[branch].core.resolve(carry, gates, context)
        return carry, gates, self._read(branch, carry.hidden)

    def alternatives(self, branch: str, carry: Carry, gates: jax.Array, symbol: jax.Array, block: jax.Array | int):
        """Return the heads ``[..., C, ...]`` if one block held each of its symbols; ``carry`` is that before the step."""
        return self._read(branch, self.branches[branch].core.alternatives(carry, gates, symbol, block))

    def unroll(
        self, branch: str, carry: Carry, features: jax.Array, context: jax.Array, first: jax.Array, cached: Carry
    ):
        """Return the heads over a rollout, whose symbols ``i32[T, ..., L]`` are all known."""
        return self._read(branch, self.branches[branch].core.unroll(carry, features, context, first, cached))

    def initialise(self, observation: jax.Array):
        """Use every parameter once, for `init`."""
        for name, features in self.encode(observation).items():
            branch = self.branches[name]
            extra = jnp.zeros((*features.shape[:-1], branch.extra_inputs), jnp.float32)
            features = jnp.concatenate([features, extra], axis=-1)
            carry = self.core_type.zero_carry(features.shape[:-1], self.sizes.core_size)
            context = jnp.zeros((*features.shape[:-1], branch.blocks), jnp.int32)
            self.resolve(name, carry, self.precompute(name, carry, features), context)

    def _read(self, branch: str, hidden: jax.Array) -> dict[str, jax.Array]:
        if branch == "policy":
            heads = {"action": self.action_head(hidden)}
            if self.spec.num_messages:
                heads["message"] = self.message_head(self.message_embedding(hidden))
            if self.sizes.critic == "separate":
                return heads
            return heads | self._values(hidden)
        if branch == "critic":
            return self._values(hidden)
        prediction = self.moa_head(hidden)
        return {"prediction": prediction.reshape(*hidden.shape[:-1], self.spec.moa_targets, self.spec.num_actions)}

    def _values(self, hidden: jax.Array) -> dict[str, jax.Array]:
        values = {"action_value": self.value_head(hidden)[..., 0]}
        if self.spec.num_messages:
            values["message_value"] = self.message_value_head(hidden)[..., 0]
        return values


def branch_names(sizes: NetworkConfig, spec: NetworkSpec) -> tuple[str, ...]:
    """Return the names of a network's branches."""
    critic = ("critic",) if sizes.critic == "separate" else ()
    return ("policy", *critic, *(("moa",) if spec.moa_targets else ()))


OBSERVATIONS_AT_A_TIME = 128  # per agent, on a CPU; elsewhere all at once. See benchmarks/encoder.py.


def num_pieces(count: int) -> int:
    """Return how many equal pieces ``count`` observations are split into for the encoder on a CPU."""
    return count // max(size for size in range(1, min(count, OBSERVATIONS_AT_A_TIME) + 1) if count % size == 0)


@dataclasses.dataclass(frozen=True)
class NetworkFunctions:
    """An `AgentNetwork` as the pure functions of `influence_jax.networks.protocol.Network`."""

    module: AgentNetwork
    cached: dict[str, CachedActivations] | None = None  # of a rollout, by branch, time first

    def with_activations(self, cached: dict[str, CachedActivations] | None) -> "NetworkFunctions":
        """Return the network with its activations from acting, so that unrolling a rollout only computes gradients."""
        return dataclasses.replace(self, cached=cached)

    def init(self, key: jax.Array, observation_shape: tuple[int, ...]):
        """Initialise one agent's parameters."""
        return self.module.init(key, jnp.zeros(observation_shape, jnp.uint8), method="initialise")["params"]

    def hidden(self, carry: Carry) -> jax.Array:
        """Return the hidden state that a branch's heads read."""
        return carry.hidden

    def encode(self, params, observation):
        """Return each branch's features; the extra numbers of an `Observation` are appended to those of policy and critic."""
        if not isinstance(observation, Observation):
            return self._features(params, observation)
        features = self._features(params, observation.image)
        return {
            name: x if name == "moa" else jnp.concatenate([x, observation.extra], axis=-1)
            for name, x in features.items()
        }

    def _features(self, params, observation):
        """Return each branch's features of images, in pieces that fit a cache.

        The backward pass recomputes activations from pixels, which is far cheaper than storing and loading them. For cached
        features only the gradient is computed.
        """
        extra = self.module.spec.extra_inputs
        cached = self.cached and {
            branch: x.features[..., :-extra] if extra and branch != "moa" else x.features
            for branch, x in self.cached.items()
        }
        leading = observation.shape[:-3]

        def in_pieces(function, *args):
            """Call ``function(cut, join, *args)`` with the number of pieces that suits the platform."""

            def with_pieces(pieces):
                cut = functools.partial(jax.tree.map, lambda x: x.reshape(pieces, -1, *x.shape[len(leading) :]))
                join = functools.partial(jax.tree.map, lambda x: x.reshape(*leading, *x.shape[2:]))
                return functools.partial(function, cut, join)

            pieces = {"cpu": with_pieces(num_pieces(math.prod(leading))), "default": with_pieces(1)}
            return by_platform(*args, **pieces)

        def encode(params, observation):
            return self.module.apply({"params": params}, observation, method="encode")

        def encode_all(cut, join, params, observation):
            return join(jax.lax.map(lambda x: encode(params, x), cut(observation)))

        def gradient(cut, join, params, observation, cotangents):
            del join

            def add(total, piece):
                observation, cotangents = piece
                pull_back = jax.vjp(lambda params: encode(params, observation), params)[1]
                return jax.tree.map(jnp.add, total, *pull_back(cotangents)), None

            nothing = jax.tree.map(jnp.zeros_like, params)
            return jax.lax.scan(add, nothing, (cut(observation), cut(cotangents)))[0]

        @jax.custom_vjp
        def features(params, observation, cached):
            return in_pieces(encode_all, params, observation) if cached is None else cached

        def forward(params, observation, cached):
            return features(params, observation, cached), (params, observation)

        def backward(residuals, cotangents):
            return in_pieces(gradient, *residuals, cotangents), None, None

        features.defvjp(forward, backward)
        return features(params, observation, cached)

    def precompute(self, params, branch, carry, features):
        """Return a branch's gates before its symbols are known."""
        return self.module.apply({"params": params}, branch, carry, features, method="precompute")

    def resolve(self, params, branch, carry, gates, context):
        """Step a branch with the given symbols."""
        return self.module.apply({"params": params}, branch, carry, gates, context, method="resolve")

    def alternatives(self, params, branch, carry, gates, symbol, block):
        """Return the heads if one block held each of its symbols."""
        return self.module.apply({"params": params}, branch, carry, gates, symbol, block, method="alternatives")

    def unroll(self, params, branch, carry, features, context, first):
        """Return the heads over a rollout."""
        cached = self.cached[branch].carry if self.cached else None
        return self.module.apply({"params": params}, branch, carry, features, context, first, cached, method="unroll")

    def zero_carry(self, shape: tuple[int, ...]) -> dict[str, Carry]:
        """Return each branch's recurrent state at the start of an episode."""
        names = branch_names(self.module.sizes, self.module.spec)
        return {name: self.module.core_type.zero_carry(shape, self.module.sizes.core_size) for name in names}


def with_core(core_type: type[SymbolicLSTM | SymbolicCore]) -> Callable[[NetworkSpec, NetworkConfig], NetworkFunctions]:
    """Return a function of the spec and the sizes that makes a network with this core."""
    return lambda spec, sizes: NetworkFunctions(AgentNetwork(sizes, spec, core_type))


NETWORKS = {
    name: with_core(core)
    for name, core in {"lstm": SymbolicLSTM, "gru": SymbolicGRU, "feedforward": SymbolicDense}.items()
}
