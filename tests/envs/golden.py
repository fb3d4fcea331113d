"""Recorded games, read from ``tests/golden``."""

import functools
import json
import pathlib

import numpy as np

import influence_jax.envs

FOLDER = pathlib.Path(__file__).parents[1] / "golden"
FILES = sorted(path.stem for path in FOLDER.glob("*.npz"))
APPLE, WASTE = 2, 3  # cell codes of the recordings


@functools.cache
def load(name):
    with np.load(FOLDER / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


def make(name, **options):
    data = load(name)
    meta = json.loads(str(data["meta"]))
    return influence_jax.envs.make(
        meta["env"],
        num_agents=meta["n_agents"],
        layout=tuple(map(str, data["ascii_map"])),
        view="reference",
        **options,
    )


def move_rank(data):
    """Rank of each agent in the shuffled list of movers; agents outside the list come last."""
    rows, n = data["move_order"].shape
    rank = np.tile(np.arange(n, 2 * n, dtype=np.int32), (rows, 1))
    for place in range(n):
        agent = data["move_order"][:, place]
        listed = agent >= 0
        rank[np.flatnonzero(listed), agent[listed]] = place
    return rank


def beam_rank(data):
    return np.argsort(data["fire_order"], axis=1).astype(np.int32)


def same_cell(position):
    """bool[rows,N,N]: two agents, or one and itself, stand on one cell."""
    return (position[:, :, None] == position[:, None]).all(axis=-1)


def growth_noise(data, prefix=""):
    """Noise that makes the recorded apples and waste grow, if the rules allow it at all."""
    noise = {"apple": np.where(data[prefix + "apple_spawned"], 0.0, np.float32(1 - 2**-24)).astype(np.float32)}
    if len(data["waste_sites"]):
        spawned = data[prefix + "waste_spawned"]
        before = data["map_beamed"] if not prefix else np.broadcast_to(data["base_map"], data["reset_map"].shape)
        rows, columns = data["waste_sites"].T.astype(int)
        clean = before[:, rows, columns] != WASTE
        flat = rows * data["base_map"].shape[1] + columns
        which = (clean & (flat < spawned[:, None])).sum(axis=1)
        noise["waste_coin"] = np.where(spawned < 0, np.float32(1 - 2**-24), 0.0).astype(np.float32)
        noise["waste_pick"] = ((which + 0.5) / np.maximum(clean.sum(axis=1), 1)).astype(np.float32)
    return noise
