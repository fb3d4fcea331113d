"""The inner loops of a game on a map: how they work is in `reference`, how machines like them best in `cpu`, `gpu` and `tpu`.

A platform's module lists in ``__all__`` the kernels of which it has a form of its own; the others are the reference's. All
forms of a kernel return the same, to the bit.
"""

import functools
from collections.abc import Callable
from typing import Any

from influence_jax.envs.grid.kernels import cpu, gpu, reference, tpu
from influence_jax.platforms import by_platform


def form(name: str, platform: Any) -> Callable:
    """Return the form of a kernel that a ``platform``, one of the modules here, has."""
    return getattr(platform if name in platform.__all__ else reference, name)


def _kernel(name: str) -> Callable:
    """Return the kernel as the platform that a program is compiled for has it; whatever is no CPU or TPU counts as a GPU."""
    forms = {"default": form(name, gpu)}
    for platform, module in (("cpu", cpu), ("tpu", tpu)):
        if form(name, module) is not forms["default"]:
            forms[platform] = form(name, module)

    @functools.wraps(getattr(reference, name))
    def kernel(*args: Any, **static: Any) -> Any:
        return by_platform(*args, **{platform: functools.partial(f, **static) for platform, f in forms.items()})

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
