"""docs/architecture.md lists exactly the modules that there are."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "architecture.md").read_text()


def listed():
    """Yield every path of the tree in the text."""
    tree = re.search(r"^```\n(influence_jax/.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)[1]
    folders = []
    for line in tree.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        names = re.findall(r"^[\w./]+|(?<= )[\w]+\.py(?= )", line.strip() + " ")
        for name in names if names[0].endswith(".py") else names[:1]:
            folders = [*folders[:depth], name]
            if name.endswith(".py"):
                yield "".join(folders)
                folders = folders[:depth]


def test_the_tree_is_the_tree():
    paths = list(listed())
    packages = ROOT / "influence_jax", ROOT / "benchmarks"
    modules = {str(path.relative_to(ROOT)) for package in packages for path in package.rglob("*.py")}
    allowed_unlisted = {
        path for path in modules if path.endswith("__init__.py") and not (ROOT / path).read_text().strip()
    }
    assert len(paths) == len(set(paths)) and set(paths) <= modules
    assert modules - set(paths) <= allowed_unlisted


def test_files_named_in_the_text_exist():
    for name in re.findall(r"`((?:\w+/)+\w+\.py)`", TEXT):
        assert (ROOT / name).exists() or (ROOT / "influence_jax" / name).exists(), name
