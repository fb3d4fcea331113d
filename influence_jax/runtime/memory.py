"""How much memory training takes, and how many members fit a device at a time."""

import contextlib
import functools
import math
import os
import pathlib
import resource
from typing import Any

import jax
import jax.numpy as jnp

from influence_jax.config import ConfigError
from influence_jax.learner.learner import Learner
from influence_jax.learner.rollout import rollout
from influence_jax.networks.agent import NetworkFunctions, num_pieces
from influence_jax.platforms import usual_tracing
from influence_jax.runtime.population import init_population


class TooLargeError(ConfigError, MemoryError):
    """A device has too little memory even for one member at a time."""


def has_formula(learner: Learner) -> bool:
    """Return whether `peak_formula` applies; it does not know networks and models from outside this package."""
    return isinstance(learner.network, NetworkFunctions) and not learner.replaced


def peak_formula(learner: Learner, members: int, at_once: int | None = None) -> int:
    """Return the peak number of bytes that training holds on one device.

    For S members of N agents that act for T steps in E environments, with ``piece`` views encoded at a time::

        S state(N, E) + G work(N, E, T)
        work = 2 parameters(N) + E T trajectory(N) + max(parameters(N) + E T N core, N piece encoder)

    G is S, or ``at_once`` of its members at a time, whose states are then held twice, before and after the update. `memory_parts`
    defines the terms.
    """
    parts, config = memory_parts(learner), learner.config
    steps = config.learner.num_envs * config.learner.rollout_length
    num_agents = learner.env.spec.num_agents
    piece = steps // num_pieces(steps) if jax.default_backend() == "cpu" else steps
    core = parts["parameters"] + steps * num_agents * parts["core"]
    encoder = num_agents * piece * parts["encoder"]
    work = 2 * parts["parameters"] + steps * parts["trajectory"] + max(core, encoder)
    if at_once is None or at_once >= members:
        return members * (parts["state"] + work)
    return 2 * members * parts["state"] + at_once * (parts["state"] + work)


# A generous bound in bytes per agent and step; runs that fit it are not traced for the exact number.
AMPLE = 2**16


def surely_fits(learner: Learner, members: int, limit: int) -> bool:
    """Return whether all members fit by a rough bound."""
    config = learner.config.learner
    agent_steps = config.num_envs * config.rollout_length * learner.env.spec.num_agents
    return members * agent_steps * AMPLE < limit


def members_that_fit(learner: Learner, members: int, limit: int) -> int | None:
    """Return how many of ``members`` fit a device with ``limit`` bytes at a time, a divisor of ``members``; None if all fit.

    Raises:
        ConfigError: not even one member fits.
    """
    if surely_fits(learner, members, limit) or peak_formula(learner, members) <= limit:
        return None
    divisors = [size for size in range(members - 1, 0, -1) if members % size == 0]
    fitting = [size for size in divisors if peak_formula(learner, members, size) <= limit]
    if not fitting:
        raise TooLargeError(too_large(learner, members, limit))
    return fitting[0]


def too_large(learner: Learner, members: int, limit: int) -> str:
    """Return a message saying what would fit."""
    config, one = learner.config, peak_formula(learner, 1)
    sizes = f"{config.learner.num_envs} environments x {config.learner.rollout_length} steps"
    largest = next((size for size in range(members, 0, -1) if peak_formula(learner, size, 1) <= limit), 0)
    return (
        f"the run has {members} members on a device, each with {sizes}; by the formula of "
        f"docs/scaling.md a member alone takes {one / 1e9:.3g} GB and all of them one after another "
        f"{peak_formula(learner, members, 1) / 1e9:.3g} GB of "
        f"the {limit / 1e9:.3g} GB there are; allowed: "
        + (
            f"{largest} members on a device."
            if largest
            else "fewer environments (learner.num_envs) or shorter rollouts."
        )
    )


def device_memory() -> int:
    """Return the bytes of memory available on a device; on a CPU, this process's share."""
    limit = (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")
    return process_memory() // jax.local_device_count() if limit is None else limit


def process_memory(root: pathlib.Path = pathlib.Path("/")) -> int:
    """Return the bytes of memory that this process may use: the least of the machine's, its container's and ``ulimit``'s."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *_control_group_limits(root)]
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        limit, _ = resource.getrlimit(kind)
        limits += [] if limit == resource.RLIM_INFINITY else [limit]
    return min(limits)


def _control_group_limits(root: pathlib.Path) -> list[int]:
    """Return the memory limits of Linux's control groups, versions 1 and 2; a group's limit also applies to its children."""
    found = []
    with contextlib.suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "memory" not in controllers.split(","):
                continue
            top = root / "sys/fs/cgroup" / ("memory" if controllers else "")
            name = "memory.limit_in_bytes" if controllers else "memory.max"
            group = top / path.lstrip("/")
            for place in (group, *group.parents):
                with contextlib.suppress(OSError, ValueError):  # "max", or hidden by a container
                    found.append(int((place / name).read_text()))
                if place == top:
                    break
    return found


@usual_tracing()
@functools.lru_cache(maxsize=8)  # it traces a rollout
def memory_parts(learner: Learner) -> dict[str, int]:
    """Return the bytes of each term of `peak_formula`; the peak is in the backward pass.

    * state: one member between updates, updated in place: parameters, optimiser, environments, observations.
    * parameters: those of all its agents; also the size of their gradient and of the two copies that the core multiplies by.
    * trajectory: one environment step as acting stores it.
    * core: one step of an agent: its view in the order of learning and, for each branch, the inputs, the state before the step
      and the gradient of the state after it.
    * encoder: one view: the rows that the convolution multiplies, its output and their gradients; it runs after the core's
      arrays are freed.
    """
    state = jax.eval_shape(functools.partial(init_population, learner))
    member = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), state)
    config = learner.config.learner

    def act(member):
        return rollout(learner, member.member, member.rollout_state, config.rollout_length, member.key)[1]

    trajectory = num_bytes(jax.eval_shape(act, member)) // (config.num_envs * config.rollout_length)
    core = math.prod(learner.env.spec.observation_shape)
    for branch in ("policy", "critic", "moa"):
        if branch in member.params:
            inputs, gates = member.params[branch]["core"]["input_kernel"].shape[1:]
            hidden = gates // 4
            core += 4 * ((inputs + hidden) + 2 * hidden + hidden)
    height, width, depth = learner.env.spec.observation_shape
    rows = (height - 2) * width * 3 * depth
    image = (height - 2) * (width - 2) * learner.config.network.conv_channels
    return {
        "state": num_bytes(member),
        "parameters": num_bytes(member.params),
        "trajectory": trajectory,
        "core": core,
        "encoder": 4 * 2 * (rows + image),
    }


def num_bytes(tree: Any) -> int:
    """Return the size of all arrays of a tree."""
    return sum(
        x.size * (8 if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x.dtype.itemsize)  # a key is two words
        for x in jax.tree.leaves(tree)
    )
