"""Options that say on which devices and hosts members are trained."""

import dataclasses
from typing import Annotated, Any

import tyro

from influence_jax.cli.options import whole
from influence_jax.settings import INT32_MAX, ConfigError


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """Which devices and hosts to use; those of one machine by default."""

    devices: whole(1, INT32_MAX, "How many devices to lay members over; all by default.", optional=True) = None
    mesh: str | None = None
    """Devices along members and environments, such as seed=4,env=2."""
    members_at_once: whole(
        1, INT32_MAX, "Members that a device works on at a time; as many as fit its memory by default.", optional=True
    ) = None
    distributed: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Whether this process is one of several on several hosts, each started with the same command; SLURM, Open MPI, Kubernetes
    and TPU pods say which, or the next three options."""
    coordinator: str | None = None
    """Address host:port of the first process."""
    process_id: whole(0, INT32_MAX, "Number of this process.", optional=True) = None
    num_processes: whole(1, INT32_MAX, "How many processes there are.", optional=True) = None


def connect(options: Any) -> None:
    """Join the processes of several hosts, if there are any; before JAX is used for anything else."""
    given = {name: getattr(options, name) for name in ("coordinator", "process_id", "num_processes")}
    if not options.distributed:
        for name, value in given.items():
            if value is not None:
                raise ConfigError(f"{name} is {value!r} without distributed, which uses it; allowed there: nothing.")
        return
    from influence_jax.runtime import devices

    devices.connect(**given)


def chosen(options: Any) -> Any:
    """Return the `Devices` that the options say."""
    from influence_jax.runtime.devices import Devices

    return Devices(options.devices, _mesh(options.mesh), options.members_at_once)


def _mesh(text: str | None) -> dict[str, int] | None:
    if text is None:
        return None
    try:
        return {name: int(size) for name, size in (part.split("=") for part in text.split(","))}
    except ValueError:
        raise ConfigError(f"mesh is {text!r}; allowed: sizes such as seed=4,env=2.") from None
