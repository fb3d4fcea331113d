"""The public names are imported on first use, and each has an example that runs."""

import dataclasses
import doctest
import functools
import inspect
import pathlib
import shutil
import subprocess
import sys
import tomllib

import jax
import optax
import pytest

import influence_jax
from influence_jax import envs


def test_nothing_is_computed_by_import():
    """A program that only imports the package must not initialise a device."""
    code = "import influence_jax, jax; assert not jax._src.xla_bridge._backends"
    subprocess.run([sys.executable, "-c", code], check=True, close_fds=False)


def test_modules_are_there_without_being_imported():
    code = (
        "import sys, influence_jax\n"
        "assert [name for name in sys.modules if name.startswith('influence_jax')] == ['influence_jax']\n"
        "influence_jax.analysis.gini, influence_jax.presets.get\n"
        "assert not {'jax', 'matplotlib'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, close_fds=False)


def test_every_public_name_is_there():
    for name in influence_jax.__all__:
        assert getattr(influence_jax, name) is not None
        assert name in dir(influence_jax)
    assert influence_jax.__all__ == sorted(influence_jax.__all__)


@pytest.fixture(scope="module")
def examples(tiny, tmp_path_factory):
    """A directory with the runs that examples read, and the names that they use."""
    root = tmp_path_factory.mktemp("examples")
    run = influence_jax.train(tiny, out=root / "runs" / "harvest-moa")
    for name in ("a", "b"):
        shutil.copytree(root / "runs" / "harvest-moa", root / "runs" / name)
    modules = {"dataclasses": dataclasses, "functools": functools, "jax": jax, "optax": optax}
    given = {"influence_jax": influence_jax, "config": tiny, "learner": run.learner, "run": run}
    return root, modules | given


@pytest.fixture(scope="module")
def sweeps(tiny, examples):
    """The sweeps that examples read, in the same directory."""
    runs = examples[0] / "runs"
    for i in range(2):
        influence_jax.sweep(tiny, grid={"learning_rate": [1e-3, 3e-4]}, shard=(i, 2), out=runs / f"shard-{i}")
    influence_jax.merge([runs / "shard-0", runs / "shard-1"], out=runs / "sweep")


OBJECTS = {name: getattr(influence_jax, name) for name in influence_jax.__all__}
SWEEPING = ("Sweep", "merge", "search", "sweep")
PLAYING = ("Consequences", "Interventions", "Moment", "consequences", "cross_play", "intervene", "play")
LONG = (*SWEEPING, *PLAYING, "Run", "train_step")  # seconds each
DESCRIBED = [
    pytest.param(name, marks=[pytest.mark.slow] if name in LONG else [])
    for name, thing in OBJECTS.items()
    if callable(thing) and not thing.__module__.startswith("influence_jax.analysis")  # see tests/docs/test_analysis.py
]


@pytest.mark.parametrize("name", DESCRIBED)
def test_every_public_name_has_an_example_that_runs(name, examples, monkeypatch, request):
    root, given = examples
    if name in SWEEPING:
        request.getfixturevalue("sweeps")
    monkeypatch.chdir(root)
    monkeypatch.setattr(envs, "_REGISTRY", dict(envs._REGISTRY))
    found = doctest.DocTestParser().get_doctest(inspect.getdoc(OBJECTS[name]), dict(given), name, None, None)
    assert found.examples
    runner = doctest.DocTestRunner()
    runner.run(found)
    assert runner.failures == 0


def test_what_there_is_not_is_named():
    with pytest.raises(AttributeError, match="No influence_jax attribute tarin"):
        influence_jax.tarin


def test_what_is_no_python_is_package_data():
    root = pathlib.Path(__file__).parents[1]
    listed = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    packed = {
        path
        for package, patterns in listed.items()
        for pattern in patterns
        for path in (root / package.replace(".", "/")).glob(pattern)
    }
    others = {
        path for path in (root / "influence_jax").rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    others.add(root / "influence_jax" / "py.typed")
    assert packed == others
