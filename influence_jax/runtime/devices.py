"""Placement of members and environments on devices, and communication between processes."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from influence_jax.config import ConfigError
from influence_jax.learner.state import LearnerState
from influence_jax.settings import Integers, checked, short_repr

AXES = ("member", "env")


@dataclasses.dataclass(frozen=True)
class Devices:
    """Placement of a run on devices; ``Devices()`` spreads the members over all of them.

    Members are independent of each other, so they give the same numbers on any number of devices, bit for bit. If the
    environments of one member are spread over devices, its gradient is a sum over devices, which rounds differently.

    >>> influence_jax.Devices(mesh={"member": 4, "env": 2}, at_once=8)
    Devices(count=None, mesh={'member': 4, 'env': 2}, at_once=8)
    """

    count: int | None = None  # devices to use; all by default
    mesh: Mapping[str, int] | None = None  # devices along "member" and "env"; along "member" only by default
    at_once: int | None = None  # members that a device trains at a time; as many as fit by default

    def __post_init__(self):
        for name in ("count", "at_once"):
            checked("devices" if name == "count" else name, getattr(self, name), Integers(1, optional=True))
        if self.mesh is not None and not isinstance(self.mesh, Mapping):
            raise ConfigError(f"mesh is {short_repr(self.mesh)}; allowed: sizes of {' and '.join(AXES)}.")

    def make_mesh(self, members: int, num_envs: int) -> jax.sharding.Mesh:
        """Return the mesh ``("member", "env")`` for so many members, each with so many environments.

        Raises:
            ConfigError: there are too few devices, or members or environments cannot be divided evenly among them.
        """
        devices = jax.devices()
        if self.count is not None:
            devices = devices[: checked("devices", self.count, Integers(1, len(devices)))]
        sizes = {"member": members, "env": num_envs}
        if self.mesh is None:
            shape = {"member": math.gcd(members, len(devices)), "env": 1}
            if jax.process_count() > 1 and shape["member"] != len(devices):
                raise ConfigError(
                    f"the run has {members} members on {len(devices)} devices of several processes, all of which take part; "
                    "allowed: multiples of their number, or a mesh that says which environments are where."
                )
        else:
            shape = dict.fromkeys(AXES, 1)
            for name, size in self.mesh.items():
                if name not in AXES:
                    raise ConfigError(f"mesh is {dict(self.mesh)!r}; allowed: sizes of {' and '.join(AXES)}.")
                shape[name] = checked(f"mesh[{name!r}]", size, Integers(1))
                if sizes[name] % shape[name]:
                    raise ConfigError(
                        f"mesh[{name!r}] is {size} for {sizes[name]}; allowed: numbers that divide it without rest."
                    )
            wanted = math.prod(shape.values())
            if wanted > len(devices) or (jax.process_count() > 1 and wanted != len(devices)):
                raise ConfigError(f"mesh is {dict(self.mesh)!r}, {wanted} devices; allowed: {len(devices)}.")
        chosen = np.array(devices[: math.prod(shape.values())]).reshape(*shape.values())
        return jax.sharding.Mesh(chosen, AXES, axis_types=(AxisType.Auto, AxisType.Auto))


ALL_DEVICES = Devices()


def shardings(mesh: jax.sharding.Mesh, state: LearnerState) -> LearnerState:
    """Return the sharding of each array of a state (or of its shapes): members along "member", environments along "env"."""

    def along(environments: int | None):
        """Return the placement of arrays whose environments, if they have any, are on this axis."""

        def place(x):
            spec = [None] * x.ndim
            spec[0] = "member"
            if environments is not None and x.ndim > environments and x.shape[environments] == num_envs:
                spec[environments] = "env"
            return NamedSharding(mesh, PartitionSpec(*spec))

        return place

    num_envs = state.rollout_state.timestep.first.shape[1]
    rollout = state.rollout_state
    places = jax.tree.map(along(None), state)
    acting = jax.tree.map(along(1), rollout).replace(carry=jax.tree.map(along(2), rollout.carry))
    return places.replace(rollout_state=acting)


def as_shapes(mesh: jax.sharding.Mesh, state: LearnerState) -> LearnerState:
    """Return the shapes of a state together with its shardings."""
    return jax.tree.map(
        lambda x, place: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place), state, shardings(mesh, state)
    )


def on_host(tree: Any) -> Any:
    """Return the arrays of all processes as NumPy arrays, in every process."""
    if jax.process_count() == 1:
        return jax.device_get(tree)
    return jax.tree.map(np.asarray, _from_all(tree, tiled=True))


def any_process(*flags: bool) -> tuple[bool, ...]:
    """Return for each flag whether it is true in any process."""
    if jax.process_count() == 1:
        return flags
    everywhere = _from_all(np.array(flags, np.int32))
    return tuple(bool(x) for x in everywhere.reshape(-1, len(flags)).any(axis=0))


def _from_all(tree: Any, tiled: bool = False) -> Any:
    """Gather arrays from all processes.

    Raises:
        ConnectionError: one of them is gone.
    """
    try:
        return multihost_utils.process_allgather(tree, tiled=tiled)
    except (jax.errors.JaxRuntimeError, ValueError) as error:  # which of them depends on what notices first
        problem = str(error).partition("\n")[0]
        raise ConnectionError(
            f"another process is gone or cannot be reached ({problem}); start all of them again with `influence-jax resume`."
        ) from error


def barrier() -> None:
    """Wait for all processes."""
    any_process(True)


def is_first_process() -> bool:
    """Return whether this is the process that writes the shared files."""
    return jax.process_index() == 0


def connect(coordinator: str | None = None, process_id: int | None = None, num_processes: int | None = None) -> None:
    """Join the processes of several hosts; by default, SLURM, Open MPI, Kubernetes or a TPU pod provides the arguments.

    Raises:
        ConfigError: the processes cannot be joined.
    """
    try:
        jax.distributed.initialize(coordinator, num_processes, process_id)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}".replace("\n", " ")
        raise ConfigError(
            f"distributed fails with coordinator {coordinator!r}, process_id {process_id!r} of num_processes {num_processes!r} "
            f"({problem}); allowed: an address host:port and numbers, or a cluster that jax.distributed knows."
        ) from error
