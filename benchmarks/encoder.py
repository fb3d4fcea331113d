"""How fast is the encoder's convolution in several implementations, and on how many views at a time? We use the fastest."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from influence_jax.bench.harness import compile_program, matrix_product, measure, product_seconds, report, save
from influence_jax.config import ConfigError
from influence_jax.networks.encoder import ConvEncoder
from influence_jax.runtime.compilation import compiler_options


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to measure."""

    num_agents: int = 5
    """Number of agents, N, each with its own kernel."""
    views: int = 512
    """Views per agent and call."""
    pieces: tuple[int, ...] = (32, 128, 512)
    """Views per agent that are encoded at a time; divisors of ``views``."""
    bands: tuple[int, ...] = (3, 5, 7, 13)
    """Output columns per product."""
    repeats: int = 7
    """Timed calls of each program, taken in turns."""
    out: pathlib.Path | None = None
    """Directory for encoder.json."""


SMOKE = ("--views", "2", "--pieces", "1", "--bands", "7", "--repeats", "1")
VIEW, CHANNELS = (15, 15, 3), 6


def main(arguments: Arguments) -> None:
    """Measure every implementation, without and with the gradient of its parameters."""
    for piece in arguments.pieces:
        if piece < 1 or arguments.views % piece:
            raise ConfigError(f"pieces has {piece}; allowed: divisors of views, which is {arguments.views}.")
    ways = {"convolution": convolution, "sum of slices": sum_of_slices}
    ways |= {f"bands of {width}": functools.partial(bands, width) for width in arguments.bands}
    size = arguments.num_agents, arguments.views
    views = jax.random.randint(jax.random.key(0), (*size, *VIEW), 0, 256, jnp.uint8)
    init = ConvEncoder(CHANNELS).init
    params = jax.vmap(init, in_axes=(0, None))(jax.random.split(jax.random.key(1), arguments.num_agents), views[0, :1])

    programs = [
        compile_program(
            f"{name}, {piece} at a time{', gradient' if learns else ''}",
            arguments.views,
            gradient if learns else encode,
            params["params"],
            views.reshape(arguments.num_agents, -1, piece, *VIEW),
            options=compiler_options(),
            way=name,
            views_at_a_time=piece,
            learns=learns,
        )
        for name, way in ways.items()
        for piece in arguments.pieces
        for encode, gradient in [programs_of(way)]
        for learns in (False, True)
    ]
    product, *timings = measure([matrix_product(), *programs], arguments.repeats)
    outputs = (VIEW[0] - 2) * (VIEW[1] - 2) * CHANNELS
    forward = arguments.num_agents * outputs * 3 * 3 * VIEW[2]  # multiply-adds of an environment step
    timings = [
        timing.against(
            "arithmetic at the rate of a matrix product",
            product_seconds(product, forward * (2 if timing.workload.labels["learns"] else 1)),
        )
        for timing in timings
    ]
    title = f"Encoder, {arguments.num_agents} agents"
    report(title, timings)
    save(arguments.out, "encoder", title, rows=[timing.row() for timing in timings])


def programs_of(way: Callable) -> tuple[Callable, Callable]:
    """Return functions that encode all views piece by piece, without and with the parameters' gradients, for all agents."""

    def encode(params, views):
        return jax.lax.map(lambda piece: way(params, piece).sum(axis=0), views)

    def gradient(params, views):
        def step(total, piece):
            gradients = jax.grad(lambda params: jnp.square(way(params, piece)).sum())(params)
            return jax.tree.map(jnp.add, total, gradients), None

        return jax.lax.scan(step, jax.tree.map(jnp.zeros_like, params), views)[0]

    return jax.vmap(encode), jax.vmap(gradient)


def bands(width: int, params, views: jax.Array) -> jax.Array:
    """Encode as the package does: products of image rows with banded kernels."""
    encode: Any = ConvEncoder(CHANNELS, band=width).apply
    return encode({"params": params}, views)


def convolution(params, views: jax.Array) -> jax.Array:
    """Encode by XLA's convolution, which the axis of agents turns into a grouped one."""
    layout = ("NHWC", "HWIO", "NHWC")
    response = jax.lax.conv_general_dilated(
        views.astype(jnp.float32), params["kernel"] / 255.0, (1, 1), "VALID", dimension_numbers=layout
    )
    return jax.nn.relu(response + params["bias"]).reshape(len(views), -1)


def sum_of_slices(params, views: jax.Array) -> jax.Array:
    """Encode without a matrix product: 27 shifted images, each times a number, with the views along the last axis."""
    rows, columns, depth = VIEW
    pixels, kernel = views.transpose(1, 2, 3, 0).astype(jnp.float32), params["kernel"] / 255.0
    response = sum(
        pixels[i : rows - 2 + i, j : columns - 2 + j, channel, None] * kernel[i, j, channel, :, None]
        for i in range(3)
        for j in range(3)
        for channel in range(depth)
    )
    return jax.nn.relu(response + params["bias"][:, None]).reshape(-1, len(views)).T
