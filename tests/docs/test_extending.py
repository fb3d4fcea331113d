"""The recipes of docs/extending.md, run as written from another package."""

import contextlib
import importlib
import pathlib
import re
import shlex

import jax
import numpy as np
import pytest

import influence_jax
from influence_jax import types
from influence_jax.cli import main, train
from influence_jax.config import NetworkConfig
from tests.installed import install, uninstall

ROOT = pathlib.Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "extending.md").read_text()
INTRODUCTION, *RECIPES = re.split(r"^## ", TEXT, flags=re.MULTILINE)
TITLES = [recipe.partition("\n")[0] for recipe in RECIPES]


def blocks(text):
    """Yield ``(kind, text)``: a "file" of `my_lab`, its project ("toml"), a "python" program, "sh" commands."""
    for kind, body in re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        yield ("file" if body.startswith("# my_lab/") else kind), body


@pytest.fixture
def laboratory(tmp_path, monkeypatch):
    """An empty working directory from which `my_lab` can be imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "my_lab").mkdir()
    (tmp_path / "my_lab" / "__init__.py").touch()
    yield tmp_path
    uninstall("my_lab")


def test_there_are_ten_recipes():
    assert [title.split()[0] for title in TITLES] == [f"{i}." for i in range(1, 11)]


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES, ids=TITLES)
def test_recipe(recipe, laboratory, tiny_presets, monkeypatch):
    names = {}
    exec(dict(blocks(INTRODUCTION))["python"], names)
    for kind, body in blocks(recipe):
        if kind == "file":
            (laboratory / body.split()[1]).write_text(body)
        elif kind == "python":
            exec(body, names)
        elif kind == "toml":
            install(monkeypatch, laboratory, laboratory, body)
        else:
            for command in body.splitlines():
                program, *arguments = shlex.split(command)
                assert program == "influence-jax" and main(arguments) == 0, command
    for directory in (laboratory / "runs").glob("*"):
        foreign = "my_lab" in (directory / "config.json").read_text()
        refused = pytest.raises(influence_jax.ConfigError, match="outside of this package")
        with refused if foreign else contextlib.nullcontext():
            influence_jax.load(directory)
        assert np.isfinite(influence_jax.load(directory, trust=True).metrics["entropy"]).all()


@pytest.mark.parametrize(
    "recipe", [x for x in RECIPES if "influence-jax train" in x], ids=lambda x: x.partition("\n")[0]
)
def test_what_a_recipe_trains_can_be_built(recipe, laboratory, monkeypatch):
    """The files of a recipe, and the settings that name them."""
    learners = []
    monkeypatch.setattr(train, "run", lambda given, config: learners.append(influence_jax.make_learner(config)) or 0)
    for kind, body in blocks(recipe):
        if kind == "file":
            (laboratory / body.split()[1]).write_text(body)
        elif kind == "toml":
            install(monkeypatch, laboratory, laboratory, body)
        elif kind == "sh":
            for command in (line for line in body.splitlines() if line.startswith("influence-jax train")):
                assert main(shlex.split(command)[1:]) == 0, command
    assert learners


def test_alternatives_of_the_gru_are_naive_reruns(laboratory):
    """As its recipe claims, for every symbol of every block."""
    (recipe,) = [recipe for recipe in RECIPES if recipe.startswith("6.")]
    (laboratory / "my_lab" / "networks.py").write_text(dict(blocks(recipe))["file"])
    spec = types.NetworkSpec(4, context_blocks=2, context_symbols=4, moa_targets=2)
    network = importlib.import_module("my_lab.networks").GRU(spec, NetworkConfig(core_size=5))
    params = network.init(jax.random.key(0), (3, 3, 3))
    carry = {name: jax.random.normal(jax.random.key(1), (7, 5)) for name in network.branches}
    features = network.encode(params, jax.random.randint(jax.random.key(2), (7, 3, 3, 3), 0, 255))
    for name, (count, symbols, _) in network.branches.items():
        context = jax.random.randint(jax.random.key(3), (7, count), 0, symbols)
        gates = network.precompute(params, name, carry[name], features[name])
        _, complete, _ = network.resolve(params, name, carry[name], gates, context)
        for block in range(count):
            found = network.alternatives(params, name, carry[name], complete, context[:, block], block)
            for symbol in range(symbols):
                _, _, rerun = network.resolve(params, name, carry[name], gates, context.at[:, block].set(symbol))
                jax.tree.map(lambda x, y, c=symbol: np.testing.assert_allclose(x[:, c], y, atol=1e-5), found, rerun)


def test_recipes_touch_nothing_of_ours():
    assert not re.search(r"^# influence_jax/", TEXT, flags=re.MULTILINE)
