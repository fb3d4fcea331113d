"""A kernel is the version listed by the platform's module, or else the reference."""

import functools

import jax
import pytest

from influence_jax.envs.grid import kernels
from influence_jax.envs.grid.kernels import cpu, gpu, reference, tpu
from influence_jax.platforms import traced_for
from tests.envs.grid.kernels.cases import CASES

MODULES = {"cpu": cpu, "cuda": gpu, "rocm": gpu, "tpu": tpu}


def test_platforms_list_kernels_of_the_reference():
    assert set(reference.__all__) == set(CASES)
    for module in MODULES.values():
        assert set(module.__all__) <= set(reference.__all__)


@pytest.mark.parametrize("platform", MODULES)
@pytest.mark.parametrize("name", reference.__all__)
def test_a_kernel_is_the_version_of_the_platform(name, platform):
    module = MODULES[platform]
    listed = getattr(module if name in module.__all__ else reference, name)
    args, static = next(CASES[name]())
    with traced_for(platform):
        chosen, expected = (jax.make_jaxpr(functools.partial(f, **static)) for f in (getattr(kernels, name), listed))
        assert str(chosen(*args)) == str(expected(*args))
