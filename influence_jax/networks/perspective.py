"""What an agent sees, from where each agent stands: its window recentred on every one and turned to the way that one looks.

A model of others has to say what another agent does about the cells before it, to its left and to its right. A convolution
finds that agent in the picture, but neither moves nor turns the picture.
"""

import jax
import jax.numpy as jnp
import numpy as np

RADIUS = 5  # cells around an agent


def perspectives(image: jax.Array, colours: np.ndarray, radius: int = RADIUS) -> jax.Array:
    """Return u8[...,N,W,W,3], W = 2 radius + 1: the part of ``image u8[...,V,V,3]`` around each agent, who looks up.

    Everything outside the image is black, and so is all around an agent that is not in it.

    Args:
        image: what an agent sees.
        colours: u8[N,4,3], those of each agent that looks up, right, down or left in the image. No other cell has them.
        radius: cells on each side of an agent.
    """
    *batch, side, _, _ = image.shape
    frame, width = side + 2 * radius, 2 * radius + 1
    pixels = packed(image)
    framed = jnp.pad(pixels, [(0, 0)] * len(batch) + [(radius, radius)] * 2).reshape(*batch, frame * frame)
    # A window starts in the framed image where its agent is in the image itself.
    row, column = np.indices((side, side))
    start = (row * frame + column).reshape(-1, 1, 1).astype(np.int32)  # [V*V,1,1]
    found = pixels.reshape(*batch, side * side, 1, 1) == packed(colours)  # [...,V*V,N,4]
    place = jnp.where(found, 4 * start + np.arange(4, dtype=np.int32), -1).max(axis=(-3, -1))  # [...,N]
    row, column = np.indices((width, width))
    turned = np.stack([np.rot90(row * frame + column, turns).reshape(-1) for turns in range(4)]).astype(np.int32)
    cells = (place >> 2)[..., None] + jnp.asarray(turned)[place & 3]  # [...,N,W*W]
    seen = jnp.take_along_axis(framed, cells.reshape(*batch, -1), axis=-1, mode="clip").reshape(cells.shape)
    return unpacked(jnp.where(place[..., None] >= 0, seen, 0)).reshape(*place.shape, width, width, 3)


def packed(colours: jax.Array | np.ndarray) -> jax.Array:
    """Return the colours ``u8[...,3]`` as ``i32[...]``."""
    red, green, blue = (colours[..., channel].astype(jnp.int32) for channel in range(3))
    return red << 16 | green << 8 | blue


def unpacked(colours: jax.Array) -> jax.Array:
    """Return the colours ``i32[...]`` as ``u8[...,3]``."""
    return jnp.stack([colours >> shift & 255 for shift in (16, 8, 0)], axis=-1).astype(jnp.uint8)
