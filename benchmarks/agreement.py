"""Does this accelerator compute the same as the CPU? Games bit for bit, one update of the learner up to rounding."""

import dataclasses
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import influence_jax
from influence_jax import presets
from influence_jax.bench.harness import save
from influence_jax.bench.learner import chunk, chunk_arguments, sized
from influence_jax.config import ConfigError
from influence_jax.learner.learner import make_learner

TOLERANCE = 0.05  # of the norm of the change; rounding may flip a sampled action or the sign of a tiny gradient


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to compare."""

    games: tuple[str, ...] = ("cleanup", "harvest")
    """Registered names."""
    presets: tuple[str, ...] = ("cleanup-communication", "cleanup-moa")
    """Presets."""
    num_envs: int = 16
    """Number of environments, E."""
    steps: int = 200
    """Environment steps."""
    out: pathlib.Path | None = None
    """Directory for agreement.json."""


SMOKE = ("--games", "cleanup", "--presets", "cleanup-a3c", "--num-envs", "2", "--steps", "2")


def main(arguments: Arguments) -> int:
    """Run everything on both devices; return 1 if something differs."""
    try:
        cpu = jax.devices("cpu")[0]
    except RuntimeError as error:
        raise ConfigError("agreement needs JAX's CPU backend; allow it in JAX_PLATFORMS.") from error
    here = jax.devices()[0]
    title = f"Does {here.device_kind} compute what the CPU computes?"
    rows = []
    for game in arguments.games:
        first, second = (played(game, arguments.num_envs, arguments.steps, device) for device in (cpu, here))
        different = [name for name, equal in same_leaves(first, second).items() if not equal]
        rows.append({"name": game, "agrees": not different, "different": different})
        save(arguments.out, "agreement", title, rows=rows)
        print(
            f"{game}: {arguments.steps} steps " + (f"differ in {', '.join(different)}" if different else "are the same")
        )
    for preset in arguments.presets:
        changes = [learned(preset, arguments.num_envs, device) for device in (cpu, here)]
        error = float(np.linalg.norm(changes[1] - changes[0]) / np.linalg.norm(changes[0]))
        rows.append({"name": preset, "agrees": error <= TOLERANCE, "error": error})
        save(arguments.out, "agreement", title, rows=rows)
        print(f"{preset}: an update differs by {error:.1e} of its norm (at most {TOLERANCE:.0e})")
    return int(not all(row["agrees"] for row in rows))


def played(game: str, num_envs: int, steps: int, device: Any):
    """Play random actions on a device; return all outputs of the environments and their last states."""
    env = influence_jax.make(game)
    params = env.default_params

    @jax.jit
    def play(key):
        reset_key, action_key, env_key = jax.random.split(key, 3)
        actions = jax.random.randint(action_key, (steps, num_envs, env.spec.num_agents), 0, env.spec.num_actions)

        def step(carry, now):
            (state, timestep), (actions, keys) = carry, now
            after = jax.vmap(env.step_or_reset, in_axes=(0, 0, 0, 0, None))(keys, state, timestep, actions, params)
            return after, after[1]

        start = jax.vmap(env.reset, in_axes=(0, None))(jax.random.split(reset_key, num_envs), params)
        (state, _), said = jax.lax.scan(step, start, (actions, jax.random.split(env_key, (steps, num_envs))))
        return state, said

    with jax.default_device(device):
        return jax.device_get(play(jax.random.key(0)))


def same_leaves(first, second) -> dict[str, bool]:
    """Return for each array of two trees whether they agree bit for bit."""
    pairs = zip(jax.tree.leaves_with_path(first), jax.tree.leaves(second), strict=True)
    return {jax.tree_util.keystr(path): bool(np.array_equal(x, y)) for (path, x), y in pairs}


def learned(preset: str, num_envs: int, device: Any) -> np.ndarray:
    """Return the change of all parameters in one update on a device, as one vector."""
    with jax.default_device(device), jax.default_matmul_precision("highest"):
        learner = make_learner(sized(presets.get(preset, "small"), 1, num_envs))
        args = chunk_arguments(learner)
        state, _ = jax.jit(chunk(learner))(*args)
        change = jax.tree.map(jnp.subtract, state.params, args[0].params)
        return np.concatenate([np.ravel(x) for x in jax.tree.leaves(jax.device_get(change))])
