"""Options for the devices and hosts to train on."""

import dataclasses
from typing import Annotated, Any

import tyro

from influence_jax.cli.options import whole
from influence_jax.settings import INT32_MAX, ConfigError


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """Devices and hosts to use; by default all devices of this machine."""

    devices: Annotated[
        int | None, *whole(1, INT32_MAX, "Number of devices to split members over; default: all.", optional=True)
    ] = None
    mesh: str | None = None
    """Devices along members and along environments, such as member=4,env=2."""
    members_at_once: Annotated[
        int | None,
        *whole(
            1, INT32_MAX, "Members that a device trains at a time; default: as many as fit its memory.", optional=True
        ),
    ] = None
    distributed: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Whether this process is one of several, each started with the same command. SLURM, Open MPI, Kubernetes and TPU pods tell
    it which one it is; elsewhere, give the next three options."""
    coordinator: str | None = None
    """Address of process 0, host:port."""
    process_id: Annotated[int | None, *whole(0, INT32_MAX, "Number of this process, from 0.", optional=True)] = None
    num_processes: Annotated[int | None, *whole(1, INT32_MAX, "Number of processes.", optional=True)] = None


def connect(options: Any) -> None:
    """Join the other processes if ``distributed`` is set; call this before any other use of JAX."""
    given = {name: getattr(options, name) for name in ("coordinator", "process_id", "num_processes")}
    if not options.distributed:
        for name, value in given.items():
            if value is not None:
                raise ConfigError(f"{name} is {value!r}, but only --distributed uses it; allowed: nothing.")
        return
    from influence_jax.runtime import devices

    devices.connect(**given)


def chosen(options: Any) -> Any:
    """Return the `Devices` that the options describe."""
    from influence_jax.runtime.devices import Devices

    return Devices(options.devices, _mesh(options.mesh), options.members_at_once)


def _mesh(text: str | None) -> dict[str, int] | None:
    if text is None:
        return None
    try:
        return {name: int(size) for name, size in (part.split("=") for part in text.split(","))}
    except ValueError:
        raise ConfigError(f"mesh is {text!r}; allowed: sizes such as member=4,env=2.") from None
