"""Types hold: in the package and its benchmarks, for who uses it (`typing_sample`), and in every program of the documentation."""

import json
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
NAMES = ("guide", "extending", "analysis", "concepts", "interop", "own_game", "questions", "games/README")
PAGES = [ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in NAMES)]


def write_programs(page: pathlib.Path, place: pathlib.Path) -> list[pathlib.Path]:
    """Write the programs of a page, one after another, and its modules of `my_lab`."""
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    modules = {place / block.split()[1]: block for block in blocks if block.startswith("# my_lab/")}
    program = "\n".join(block for block in blocks if block not in modules.values())
    name = page.relative_to(ROOT).with_suffix(".py").as_posix().lower().replace("/", "_")
    files = {place / name: program, **modules}
    for path, text in files.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return list(files)


@pytest.mark.slow  # `make lint` runs it
def test_a_type_checker_finds_nothing_wrong(tmp_path):
    files = [path for page in PAGES for path in write_programs(page, tmp_path)]
    assert len(files) >= 10
    checker = [sys.executable, "-m", "basedpyright", "--pythonpath", sys.executable, "--outputjson"]
    done = subprocess.run(
        [*checker, "influence_jax", "benchmarks", "tests/typing_sample.py", *files],
        cwd=ROOT,  # where the settings are
        capture_output=True,
        text=True,
        close_fds=False,
    )
    found = json.loads(done.stdout)
    problems = [
        f"{x['file']}:{x['range']['start']['line'] + 1} {x['message'].splitlines()[0]} ({x.get('rule')})"
        for x in found["generalDiagnostics"]
    ]
    assert not problems, "\n".join(problems)
    assert found["summary"]["filesAnalyzed"] > 140 and done.returncode == 0
