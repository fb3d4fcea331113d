"""Every command in the README, the guide and the page on other packages works; long ones are shortened in plain sight."""

import contextlib
import dataclasses
import io
import pathlib
import re
import shlex
import subprocess
import tomllib

import pytest

import influence_jax
from influence_jax.bench import env
from influence_jax.cli import main

ROOT = pathlib.Path(__file__).parents[1]
PAGES = {
    page: page.read_text()
    for page in (ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in ("guide", "interop")))
}
TEXT = "\n".join(PAGES.values())
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
COMMANDS = [line.partition("#")[0].strip() for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]
DEMO = "influence-jax demo"  # minutes, see `test_demo`
OWN_PROGRAMS = [command for command in COMMANDS if "--influence." in command]  # the others share theirs
PROGRAMS = [text for kind, text in BLOCKS if kind == "python"]


def test_nothing_is_left_out():
    assert {kind for kind, _ in BLOCKS} == {"sh", "python", "text"}
    assert {command.split()[0] for command in COMMANDS} == {"make", "pip", "influence-jax"}
    assert len(PROGRAMS) == 6


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("make")])
def test_make_knows(command):
    subprocess.run([*command.split(), "--dry-run"], cwd=ROOT, check=True, capture_output=True, close_fds=False)


@pytest.mark.slow
def test_demo():
    subprocess.run(["make", "demo"], cwd=ROOT, check=True, close_fds=False)
    assert {path.name for path in (ROOT / "demo").iterdir()} >= {
        "box_trapped.gif",
        "moment.png",
        "learning_curves.png",
        "cleanup.gif",
    }


def test_installable_extras_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = re.findall(r"\[(\w+)\]", " ".join(c for c in COMMANDS if c.startswith("pip")))
    assert extras and set(extras) <= project["optional-dependencies"].keys()
    assert project["version"] == influence_jax.__version__
    assert f"\nversion: {project['version']}\n" in (ROOT / "CITATION.cff").read_text()


def run(command, tiny_options):
    """Run a command, for a few updates if it trains."""
    short = re.sub("--total-steps [12]e[56] --seeds [34]", shlex.join(tiny_options), command).replace("4e6", "2.4e3")
    short = short.replace("bench env", shlex.join(["bench", "env", *env.SMOKE]))
    assert (command.split()[1] in ("train", "resume", "sweep", "bench")) == (short != command)
    assert main(shlex.split(short)[1:]) == 0


def test_commands(tmp_path, monkeypatch, tiny_options):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO("wqq"))  # a step in the first game that is played, none in the second
    for command in COMMANDS:
        if command.startswith("influence-jax") and command not in (DEMO, *OWN_PROGRAMS):
            run(command, tiny_options)
    assert {path.suffix for path in (tmp_path / "runs").glob("episode.*")} == {".gif", ".html"}
    assert (tmp_path / "runs" / "bench" / "env.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("command", OWN_PROGRAMS)
def test_commands_with_programs_of_their_own(command, tmp_path, monkeypatch, tiny_options):
    monkeypatch.chdir(tmp_path)
    run(command, tiny_options)


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs(program, tmp_path, monkeypatch, tiny):
    monkeypatch.chdir(tmp_path)
    short = re.sub(r'influence_jax.presets.get\("[a-z]+-moa", profile="small"\)', "tiny", program)
    short = re.sub("seeds=[34], total_steps=[12]e6", "seeds=2, total_steps=1200", short)
    short = short.replace("total_steps=2e6", "total_steps=120").replace(
        "seeds=4, learning_rate=[1e-3, 3e-4, 1e-4]", "learning_rate=[1e-3]"
    )
    assert ("train" in program) == (short != program)
    exec(short, {"tiny": tiny if "grid" not in program else dataclasses.replace(tiny, seeds=1)})
    assert {path.name for path in tmp_path.iterdir()} == set(re.findall(r'"(\w+\.(?:png|gif|html))"', program))


def test_options_named_in_the_text(capsys):
    for command in ("train", "sweep"):
        with contextlib.suppress(SystemExit):
            main([command, "harvest-moa", "--help"])
    known = capsys.readouterr().out
    for option in re.findall(r"`--([^`\s]+)", TEXT):
        assert option in known


def test_every_preset_is_listed():
    listed = re.findall(r"`([\w-]+)`", "".join(re.findall(r"^\| `.*-.*", TEXT, flags=re.MULTILINE)))
    assert sorted(listed) == sorted(influence_jax.presets.names())


def test_readme_is_a_page():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120
