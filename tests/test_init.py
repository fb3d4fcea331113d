"""The public names, imported when they are asked for."""

import pathlib
import subprocess
import sys
import tomllib

import pytest

import influence_jax


def test_nothing_is_computed_by_import():
    """A program that only imports the package must not take hold of a device."""
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
