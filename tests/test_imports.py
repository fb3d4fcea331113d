"""The layers of the package: which folder may import which. Read from syntax trees, so that nothing has to run."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1] / "influence_jax"

BENCHMARKS = ROOT.parent / "benchmarks"  # beside the package, which must do without

# What each part may import from the package, beside itself. The leaves do not know one another.
ALLOWED = {
    "settings": set(),
    "batching": set(),
    "platforms": set(),
    "fusion": {"platforms"},
    "config": {"settings"},
    "types": {"config", "settings"},
    "presets": {"config", "settings"},
    "metrics": {"types", "config"},
    "rewards": {"fusion", "types", "config"},
    "envs": {"batching", "platforms", "fusion", "types", "config", "settings"},
    "interop": {"envs", "settings"},
    "networks": {"platforms", "fusion", "types", "config"},
    "influence": {"fusion", "types", "config", "settings"},
    "learner": {
        "platforms",
        "fusion",
        "types",
        "config",
        "settings",
        "metrics",
        "rewards",
        "envs",
        "networks",
        "influence",
    },
    "evaluation": {"platforms", "types", "config", "settings", "metrics", "envs", "influence", "learner", "analysis"},
    "log_format": set(),
    "analysis": {"log_format", "settings"},  # reads files
    "runtime": {
        "log_format",
        "platforms",
        "types",
        "config",
        "settings",
        "presets",
        "envs",
        "networks",
        "learner",
        "evaluation",
        "analysis",
    },
    "sweeps": {"log_format", "platforms", "config", "settings", "envs", "learner", "runtime", "analysis"},
    "demo": {"presets", "envs", "evaluation", "runtime", "analysis"},
    "cli": {
        *("config", "settings", "presets", "envs", "learner", "evaluation", "runtime", "sweeps", "analysis"),
        *("demo", "__version__"),
    },
    # Measures anything below.
    "bench": {"types", "config", "settings", "presets", "envs", "influence", "learner", "runtime", "analysis"},
    "benchmarks": {
        *("platforms", "config", "settings", "presets", "envs", "networks", "learner", "runtime", "bench", "cli"),
    },
    "__main__": {"cli"},
    "__init__": {"analysis", "config", "settings", "presets", "envs", "learner", "evaluation", "runtime", "sweeps"},
}
OURS = "influence_jax.", "benchmarks."
FILES = sorted([*ROOT.rglob("*.py"), *BENCHMARKS.rglob("*.py")])


def part_of(path):
    place = path.relative_to(ROOT.parent).parts
    return place[0] if path.is_relative_to(BENCHMARKS) else place[1].removesuffix(".py")


def imports(path):
    """Every module that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT.parent)))
def test_imports_go_downwards(path):
    part = part_of(path)
    used = {name.removeprefix("influence_jax.").split(".")[0] for name in imports(path) if name.startswith(OURS)}
    assert used - {part} <= ALLOWED[part]


def test_what_runs_another_package_needs_none_of_ours():
    assert not [name for name in imports(BENCHMARKS / "peer_worker.py") if name.startswith((*OURS, "influence_jax"))]


@pytest.mark.parametrize("name", ["learner/returns.py", "learner/optimizer.py"])
def test_the_maths_of_learning_knows_no_other_part(name):
    used = {module.split(".")[1] for module in imports(ROOT / name) if module.startswith("influence_jax.")}
    assert used <= {"types", "config", "fusion"}


def test_analysis_touches_no_device():
    for path in (ROOT / "analysis").glob("*.py"):
        assert not {name.split(".")[0] for name in imports(path)} & {"jax", "jaxlib", "flax", "optax", "orbax"}


def test_environments_know_nothing_of_influence():
    for path in (ROOT / "envs").rglob("*.py"):
        assert "influence" not in path.read_text().replace("influence_jax", "")


def test_only_kernels_ask_which_machine_it_is():
    asking = [path for path in (ROOT / "envs").rglob("*.py") if "by_platform" in path.read_text()]
    assert asking == [ROOT / "envs/grid/kernels/__init__.py"]


def test_kernels_stand_below_games():
    below = tuple(f"influence_jax.{name}" for name in ("envs.grid.kernels", "fusion", "platforms"))
    for path in (ROOT / "envs/grid/kernels").glob("*.py"):
        assert all(name.startswith(below) for name in imports(path) if name.startswith("influence_jax"))


GAMES = ("cleanup", "harvest", "box_trapped", "coins", "stag_hunt")
MACHINE = {
    "vmap",
    "lax",
    "batched",
    "leading",
    "trailing",
    "fusion_boundary",
    "scatter",
    "gather",
    "reshape",
    "moveaxis",
}


@pytest.mark.parametrize("game", GAMES)
def test_a_game_names_rules_and_not_the_machine_below(game):
    path = ROOT / "envs" / f"{game}.py"
    names = {getattr(node, "id", getattr(node, "attr", None)) for node in ast.walk(ast.parse(path.read_text()))}
    assert not names & MACHINE
    below = {name.split(".")[3] for name in imports(path) if name.startswith("influence_jax.envs.grid")}
    assert below <= {"field", "maps", "movement", "primitives", "random_bits", "vision", "world"}
