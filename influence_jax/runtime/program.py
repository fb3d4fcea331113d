"""A chunk of updates of all members as one program: placed on devices, traced and compiled."""

import contextlib
import dataclasses
import functools
import threading
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from influence_jax.config import ConfigError, code_paths
from influence_jax.learner.learner import Learner
from influence_jax.learner.state import LearnerState
from influence_jax.platforms import usual_tracing
from influence_jax.runtime import memory, population
from influence_jax.runtime.devices import Devices, any_process, as_shapes, shardings
from influence_jax.runtime.signals import until_stopped


@dataclasses.dataclass(frozen=True)
class Program:
    """A chunk of updates of all members, placed on devices but not yet traced or compiled."""

    learner: Learner
    members: list[dict[str, Any]]  # each member's seed and its own settings
    mesh: jax.sharding.Mesh
    shapes: LearnerState  # of the state, leading S, with shardings
    at_once: int | None  # members that a device trains at a time; None for all

    def init(self) -> LearnerState:
        """Return the first state of all members."""
        places = shardings(self.mesh, self.shapes)
        return population.init_population(self.learner, population.values_of(self.members), places)

    def compile(self, stop: threading.Event) -> jax.stages.Compiled | None:
        """Trace and compile; return None as soon as a stop is requested, although the compiler itself cannot be interrupted.

        With several processes, wait for the compiler instead, since all of them must take the same decision.

        Raises:
            ConfigError: your own code fails.
        """
        leaves, structure = jax.tree.flatten(self.shapes)
        with _own_code_explained(self.learner):
            lowered = traced(self.learner.template, self.mesh, self.at_once, structure, tuple(leaves))
        if jax.process_count() > 1:
            compiled = lowered.compile()
            return None if any_process(stop.is_set())[0] else compiled
        return until_stopped(lowered.compile, stop)


def prepare(learner: Learner, members: list[dict[str, Any]], devices: Devices) -> Program:
    """Place members on devices.

    Raises:
        ConfigError: they do not fit, or your own code fails.
    """
    mesh = devices.make_mesh(len(members), learner.config.learner.num_envs)
    on_a_device = len(members) // mesh.shape["member"]
    with _own_code_explained(learner):
        shapes = jax.eval_shape(lambda: population.init_population(learner, population.values_of(members)))
        at_once = devices.at_once
        if at_once is None and memory.has_formula(learner):
            at_once = memory.members_that_fit(learner, on_a_device, memory.device_memory())
    return Program(learner, members, mesh, as_shapes(mesh, shapes), at_once)


@usual_tracing()
@functools.lru_cache(maxsize=2)  # a run that resumes, or has other numbers only, is not compiled again
def traced(
    learner: Learner, mesh: jax.sharding.Mesh, at_once: int | None, structure: Any, leaves: tuple
) -> jax.stages.Lowered:
    """Trace a chunk from shapes alone, whichever device a restored state is on, so that all share one program."""
    shapes = jax.tree.unflatten(structure, leaves)
    chunk = population.compile_chunk(learner, shardings(mesh, shapes), at_once)
    return chunk.lower(shapes, jax.ShapeDtypeStruct((), jnp.float32))


@contextlib.contextmanager
def _own_code_explained(learner: Learner) -> Iterator[None]:
    """Name the user's code that may be what fails."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        own = [f"{path} {name!r}" for path, name in code_paths(learner.config).items()]
        own += [f"the {name} that was put into the learner" for name in learner.replaced]
        if not own:
            raise
        problem = f"{type(error).__name__}: {error}".replace("\n", " ")
        raise ConfigError(f"{' or '.join(own)} fails ({problem}); docs/extending.md says what is allowed.") from error


@contextlib.contextmanager
def explained(program: Program):
    """Say what would fit when a device runs out of memory."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error) and "out of memory" not in str(error).lower():
            raise
        members = len(program.members) // program.mesh.shape["member"]
        message = f"the run has {len(program.members)} members, {members} of them on a device, which is too small for so many."
        if memory.has_formula(program.learner):
            message = memory.too_large(program.learner, members, memory.device_memory())
        raise MemoryError(f"out of memory: {message} (members_at_once makes it smaller)") from error
