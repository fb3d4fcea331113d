"""Every module has a test file at the matching path, and every test file has a module or is in a short list."""

import ast
import pathlib

TESTS = pathlib.Path(__file__).parent
PACKAGES = {TESTS.parent / "influence_jax": TESTS, TESTS.parent / "benchmarks": TESTS / "benchmarks"}

# Tests of no single module.
CROSS_CUTTING = {
    "test_dtypes.py",  # 64 bits change nothing
    "test_experiments.py",  # drivers
    "benchmarks/test_accelerator.py",  # a script
    "faults/test_drawn.py",  # whatever settings are given
    "faults/test_killed.py",  # whatever ends a process
    "test_imports.py",  # the layers
    "test_mirror.py",
    "test_notebooks.py",
    "test_plugins.py",  # what other packages register
    "test_public.py",  # wrong arguments
    "test_readme.py",
    "test_typing.py",  # in the package, and for who uses it
    "test_workbench.py",
    "docs/test_analysis.py",
    "docs/test_architecture.py",
    "docs/test_extending.py",
    "docs/test_glossary.py",
    "docs/test_site.py",
    "envs/test_contract.py",  # what every registered game promises
    "envs/test_golden.py",  # recorded games
    "envs/test_platforms.py",  # games as other devices compile them
    "envs/test_reference_game.py",  # whole episodes against a slow game
    "learner/test_learning.py",  # answers that are known
}


def has_code(path):
    """Whether a module does more than describe itself and import."""
    for node in ast.parse(path.read_text()).body:
        names = [target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)]
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not (text or isinstance(node, ast.Import | ast.ImportFrom) or names == ["__all__"]):
            return True
    return False


def expected():
    """Yield the file of tests of every module."""
    for package, tests in PACKAGES.items():
        for path in package.rglob("*.py"):
            if path.name != "__main__.py" and (path.name != "__init__.py" or has_code(path)):
                place = tests / path.relative_to(package).with_name(f"test_{path.stem.strip('_')}.py")
                yield str(place.relative_to(TESTS))


def found():
    return {str(path.relative_to(TESTS)) for path in TESTS.rglob("test_*.py")}


def test_every_module_has_its_tests():
    assert set(expected()) - found() == set()


def test_every_file_of_tests_has_its_module():
    assert found() - set(expected()) == CROSS_CUTTING


def test_every_file_says_what_it_is_and_tests_something():
    for path in TESTS.rglob("*.py"):
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), path
        functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        tested = any(name.startswith("test_") for name in functions)
        assert tested == path.name.startswith("test_") or path.name == "listeners.py", path
