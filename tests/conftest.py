"""Fixtures shared by all tests."""

import ctypes
import functools
import gc
import pathlib
import resource
import sys

import jax
import pytest
from jax._src import compiler
from xdist.scheduler import LoadScopeScheduling

from influence_jax import presets
from influence_jax.evaluation import programs
from influence_jax.platforms import traced_for, usual_tracing
from influence_jax.runtime import program


def pytest_configure(config):
    """Keep compiled programs between tests and between runs, because compilation dominates the duration of the tests."""
    jax.config.update("jax_compilation_cache_dir", str(config.cache.mkdir("jax")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    gc.set_threshold(100_000, 50, 50)  # a sixth of the time that tracing takes; every module ends with a collection
    programs.KEPT = 16  # before any function is compiled; the modules of a folder evaluate the same few agents


def pytest_collection_modifyitems(items):
    """Run whole programs first and then the largest folders, so that no worker has minutes left at the end."""
    first = (pathlib.Path(__file__).parent.name, "evaluation", "learner", "envs")
    items.sort(key=lambda item: first.index(name) if (name := item.path.parent.name) in first else len(first))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give each worker whole folders, whose modules share programs; the modules of this one are large enough on their own."""
    return Folders(config, log)


class Folders(LoadScopeScheduling):
    def _split_scope(self, nodeid):
        path = pathlib.PurePath(nodeid.partition("::")[0])
        return str(path if path.parent == path.parents[-2] else path.parent)


@pytest.fixture(scope="module", autouse=True)
def let_go_of_programs():
    """Drop compiled programs once they begin to fill a laptop's memory; the cache on disk keeps them."""
    yield
    linux = sys.platform == "linux"
    if linux and resident_bytes() < MUCH:
        return
    jax.clear_caches()
    gc.collect()
    if linux:  # its allocator keeps freed memory
        ctypes.CDLL(None).malloc_trim(0)


MUCH = 3 * 2**30  # bytes of a process; two run at a time


def resident_bytes():
    """Return the memory that this process holds, on Linux."""
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.fixture(scope="session", autouse=True)
def trace_for_this_platform():
    """Trace the tests' own programs as the package traces its programs."""
    with traced_for("cpu" if jax.default_backend() == "cpu" else None):
        yield


@pytest.fixture(scope="session", autouse=True)
def trace_programs_once():
    """Keep the traced programs of more than two runs, since most modules train the same agents."""
    kept = functools.lru_cache(maxsize=16)(program.traced.__wrapped__.__wrapped__)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program, "traced", usual_tracing()(kept))
        yield


@pytest.fixture(scope="session", autouse=True)
def compile_quickly():
    """Compile without optimisation and with XLA:CPU's former, far faster emitters, since most programs run a few steps only."""
    has_former_emitters()  # before the options are patched
    with pytest.MonkeyPatch.context() as patch:
        # Set the option for every program; jax.config has no entry for it.
        patch.setattr(compiler, "get_compile_options", functools.partial(compile_options, USUAL_OPTIONS))
        jax.config.update("jax_disable_most_optimizations", True)
        yield
        jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="module", autouse=True)
def compile_as_users_do(request):
    """Compile as users do in modules marked with `compile_fully`, which run many steps or compare with users' results."""
    if not request.node.get_closest_marker("compile_fully"):
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiler, "get_compile_options", USUAL_OPTIONS)
        jax.config.update("jax_disable_most_optimizations", False)
        yield
        jax.config.update("jax_disable_most_optimizations", True)


USUAL_OPTIONS = compiler.get_compile_options


def compile_options(original, *args, env_options_overrides=None, **kwargs):
    overrides = {"xla_cpu_parallel_codegen_split_count": "1"}  # one part per core would be more work in total
    overrides |= {"xla_disable_hlo_passes": LOOP_PASSES}
    overrides |= {EMITTERS: "False"} if has_former_emitters() else {}
    return original(*args, env_options_overrides=overrides | (env_options_overrides or {}), **kwargs)


EMITTERS = "xla_cpu_use_fusion_emitters"
LOOP_PASSES = (
    "simplify-while-loops,while-loop-invariant-code-motion,while-loop-constant-sinking"  # a seventh of the time
)


@functools.cache
def has_former_emitters():
    """Whether this jaxlib still has them; jaxlib for jax 0.12 does not know the option, and an unknown option is an error."""
    try:
        jax.jit(lambda: 0, compiler_options={EMITTERS: "False"}).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True


def quickly():
    """Return environment variables that let a new process compile as in `compile_quickly`."""
    flags = f"--xla_cpu_parallel_codegen_split_count=1 --xla_disable_hlo_passes={LOOP_PASSES}"
    emitters = f" --{EMITTERS}=false" if has_former_emitters() else ""
    return {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1", "XLA_FLAGS": flags + emitters}


@pytest.fixture(scope="session")
def tiny():
    """A whole experiment in a second or two: two MOA agents on a small Harvest, two members, 100 updates."""
    game = {"env.num_agents": 2, "env.horizon": 20, "env.layout": TINY_MAP, "env.view_radius": 2}
    network = {"conv_channels": 2, "hidden_size": 8, "core_size": 8, "critic": "shared", "moa_encoder": "shared"}
    run = {"total_steps": 3 * 4 * 100, "seeds": 2, "log_interval": 10, "checkpoint_interval": 4}
    return presets.get("harvest-moa", "small", num_envs=3, rollout_length=4, **game, **network, **run)


@pytest.fixture
def tiny_presets(monkeypatch):
    """Give presets tiny networks, and updates of 20 environment steps, for scripts that call `presets.get` themselves."""
    get = presets.get

    def tiny(name, profile=None, **settings):
        small = {"conv_channels": 2, "hidden_size": 8, "critic": "shared", "moa_encoder": "shared"}
        return get(name, profile).override(**small | {"num_envs": 4, "rollout_length": 5} | settings)

    monkeypatch.setattr(presets, "get", tiny)


@pytest.fixture(scope="session")
def tiny_options():
    """The command-line options by which `tiny` differs from its preset."""
    return tiny_arguments()


def tiny_arguments(**changes):
    """Return `tiny_options` with some of them changed."""
    texts = [
        text for name, value in (TINY_OPTIONS | changes).items() for text in (f"--{name.replace('_', '-')}", value)
    ]
    return [*texts, "--env.layout", *TINY_MAP]


TINY_OPTIONS = {
    "env.num_agents": "2",
    "env.horizon": "20",
    "env.view_radius": "2",
    "network.conv_channels": "2",
    "network.hidden_size": "8",
    "network.core_size": "8",
    "network.critic": "shared",
    "network.moa_encoder": "shared",
    "learner.num_envs": "3",
    "learner.rollout_length": "4",
    "total_steps": "1.2e3",
    "seeds": "2",
    "log_interval": "10",
    "checkpoint_interval": "4",
}
TINY_MAP = (
    "@@@@@@@@@",
    "@P AA  P@",
    "@  AAA  @",
    "@P  A  P@",
    "@@@@@@@@@",
)
