"""Draw the pictures of the games' pages: scripted or random players, after some steps.

python docs/games/draw.py
"""

import pathlib

import jax
import numpy as np
from PIL import Image

from influence_jax.envs import make, scripted
from influence_jax.envs.grid.world import GridWorld

HERE = pathlib.Path(__file__).parent
CLEANERS = scripted.team(*[scripted.cleaner] * 2, *[scripted.greedy] * 3)
PLAYERS = {  # with the steps they take
    "cleanup": (scripted.noisy(CLEANERS), 120),
    "harvest": (scripted.noisy(scripted.greedy), 25),
    "box-trapped": (scripted.uniform, 0),
    "coins": (scripted.uniform, 3),
    "stag-hunt": (scripted.uniform, 1),
}


def picture(name: str, scale: int = 14) -> Image.Image:
    """Return the map of a game after some steps of its players."""
    env = make(name)
    assert isinstance(env, GridWorld)
    player, steps = PLAYERS[name]

    def step(state, key):
        actions = player(key, env, state)
        return env.step(key, state, actions, env.default_params)[0], None

    @jax.jit
    def last(key):
        return jax.lax.scan(step, env.reset(key, env.default_params)[0], jax.random.split(key, steps))[0]

    scale = max(scale, 180 // env.walls.shape[0])
    return Image.fromarray(env.render(last(jax.random.key(0)), scale))


def views(name: str, key: int, scale: int = 8) -> Image.Image:
    """Return what the first two agents of a game without a map see at the start, side by side."""
    env = make(name)
    seen = np.asarray(env.reset(jax.random.key(key), env.default_params)[1].observation[:2])
    large = seen.repeat(scale * 15 // seen.shape[1], axis=1).repeat(scale * 15 // seen.shape[1], axis=2)
    framed = np.pad(large, ((0, 0), (4, 4), (4, 4), (0, 0)), constant_values=128)
    return Image.fromarray(np.concatenate(framed, axis=1))


def main() -> None:
    """Write all pictures beside the pages."""
    for name in PLAYERS:
        picture(name).quantize(256).save(HERE / f"{name.replace('-', '_')}.png", optimize=True)
    views("influence_jax.envs.probes:Fines", key=3).quantize(4).save(HERE / "probes.png", optimize=True)


if __name__ == "__main__":
    main()
