"""The inner loops of games on a map: `reference` defines them, and `cpu`, `gpu` and `tpu` contain faster versions.

``__all__`` of a platform's module lists the kernels that it has its own version of; the others use the reference. All
versions of a kernel return the same result, bit for bit.
"""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

from influence_jax.envs.grid.kernels import cpu, gpu, reference, tpu
from influence_jax.platforms import by_platform


def _version(name: str, platform: ModuleType) -> Callable:
    return getattr(platform if name in platform.__all__ else reference, name)


def _kernel(name: str) -> Callable:
    """Return the kernel of this name, in the version for the platform that a program is compiled for.

    Anything but a CPU or a TPU counts as a GPU. A version that platforms share is passed once, because each is traced.
    """
    versions = {"default": _version(name, gpu)}
    for platform, module in (("cpu", cpu), ("tpu", tpu)):
        if _version(name, module) is not versions["default"]:
            versions[platform] = _version(name, module)

    @functools.wraps(getattr(reference, name))
    def kernel(*args: Any, **static: Any) -> Any:
        return by_platform(*args, **{platform: functools.partial(f, **static) for platform, f in versions.items()})

    return kernel


gather = _kernel("gather")
look_up = _kernel("look_up")
scatter = _kernel("scatter")
exclusive_cumsum = _kernel("exclusive_cumsum")
values_at_sites = _kernel("values_at_sites")
clear_cells = _kernel("clear_cells")
highest_beam = _kernel("highest_beam")
windows = _kernel("windows")
colour = _kernel("colour")
