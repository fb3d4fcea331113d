"""The documentation: what its pages show, link to and promise, and the site that is built of them."""

import importlib.util
import pathlib
import re
import shlex
import subprocess
import sys

import pytest
import yaml

import influence_jax
from influence_jax import analysis
from influence_jax.cli import main, train
from influence_jax.cli.envs import describe
from tests.installed import uninstall

ROOT = pathlib.Path(__file__).parents[2]
DOCS = ROOT / "docs"
ELSEWHERE = ("docs/pypi.md",)  # the page of the package in a registry


def leaves(nav):
    """Yield the paths of a navigation."""
    if isinstance(nav, str):
        yield nav
    else:
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from leaves(part)


SHOWN = list(leaves(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
PAGES = [path for path in SHOWN if path.endswith(".md")]


def text_of(path):
    return (ROOT / path).read_text()


def prose(path):
    """Return a page without its blocks of code."""
    return re.sub(r"^( *)```.*?^\1```$", "", text_of(path), flags=re.MULTILINE | re.DOTALL)


def blocks(path):
    """Return ``[(kind, text)]`` of the blocks of code of a page."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text_of(path), flags=re.MULTILINE | re.DOTALL)


def anchors(path):
    """Return the anchors of a page's headings, as GitHub and the site form them."""
    titles = re.findall(r"^#+ (.+)$", prose(path), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.replace("`", "")).strip().lower().replace(" ", "-") for title in titles}


def test_the_navigation_shows_every_page():
    there = {*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")}
    there |= {ROOT / "experiments/README.md", ROOT / "benchmarks/NOTES.md"}
    assert len(SHOWN) == len(set(SHOWN))
    assert {path.relative_to(ROOT).as_posix() for path in there} == {*SHOWN, *ELSEWHERE}


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        path, _, anchor = target.partition("#")
        if ":" in target:
            assert target.startswith("https://"), target
            continue
        there = (ROOT / page).parent.joinpath(path).resolve() if path else ROOT / page
        assert there.is_file(), target
        assert not anchor or anchor in anchors(there.relative_to(ROOT)), target


def test_api_pages_show_every_public_name_once():
    shown = [
        name
        for path in DOCS.glob("api/*.md")
        for name in re.findall(r"^::: influence_jax\.(.+)$", path.read_text(), re.M)
    ]
    public = set(re.findall(r" as (\w+)$", (ROOT / "influence_jax" / "__init__.pyi").read_text(), re.M))
    assert public == set(influence_jax.__all__)
    expected = public - {"analysis", "presets"} | {"presets.get", "presets.names"}
    assert sorted(shown) == sorted(expected | {f"analysis.{name}" for name in {*analysis.__all__} - public})


def settings_of(page):
    """Return the rows of the tables of settings of a page, ``[(setting, default, meaning)]``."""
    tables = re.findall(r"^\| setting \| default \| meaning \|\n.*\n((?:\|.*\n)+)", text_of(page), flags=re.MULTILINE)
    return re.findall(r"^\| `(env\.[\w.]+)` \| (.*?) \| (.*) \|$", "".join(tables), flags=re.MULTILINE)


GAMES = {
    name: [name.replace("_", "-")] for name in ("cleanup", "harvest", "box_trapped", "coins", "stag_hunt", "matrix")
}
GAMES["probes"] = [f"influence_jax.envs.probes:{name}" for name in ("Recall", "Fines")]


@pytest.mark.parametrize("page", GAMES)
def test_tables_of_settings_are_the_declarations(page):
    declared = [(name, *about.values()) for game in GAMES[page] for name, about in describe(game)["settings"].items()]
    rows = settings_of(f"docs/games/{page}.md")
    for (name, default, meaning), row in zip(declared, rows, strict=True):
        shown = "the map above" if name == "env.layout" else str(default)
        assert row == (name, shown, meaning or row[2]) and row[2]


def test_every_game_has_a_page_that_names_its_actions_and_metrics():
    listed = prose("docs/games/README.md")
    for name in influence_jax.envs.registered():
        page = name.removesuffix("-mp").replace("-", "_")
        assert f"`{name}`" in listed and page in GAMES
        spec = influence_jax.make(name).spec
        text = text_of(f"docs/games/{page}.md")
        assert f"`u8[{spec.num_agents},{','.join(map(str, spec.observation_shape))}]`" in text
        assert all(f"`{word}`" in text for word in spec.action_names + spec.metric_names)


def test_pictures_of_games_are_small():
    pictures = {path.stem: path for path in DOCS.glob("games/*.png")}
    assert pictures.keys() == GAMES.keys() - {"matrix"}
    assert all(100 < path.stat().st_size < 20_000 for path in pictures.values())


def drawing():
    """Import the script that draws the pictures."""
    spec = importlib.util.spec_from_file_location("draw", DOCS / "games" / "draw.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_pictures_of_games_are_those_of_the_script(tmp_path, monkeypatch):
    draw = drawing()
    monkeypatch.setattr(draw, "HERE", tmp_path)
    draw.main()
    for path in tmp_path.glob("*.png"):
        assert path.read_bytes() == (DOCS / "games" / path.name).read_bytes(), path.name


RUN_HERE = ["start", "questions", "concepts", "own_game", "games/README"]
RUN_ELSEWHERE = {"README.md", "docs/guide.md", "docs/interop.md", "docs/extending.md", "docs/analysis.md"}
PARSED = {"docs/scaling.md"}  # for many devices and hours
OF_A_CHECKOUT = {"CONTRIBUTING.md", "experiments/README.md"}  # `make`, and days on eight GPUs


def test_every_program_is_tested():
    coded = {page for page in PAGES if {kind for kind, _ in blocks(page)} & {"python", "sh"}}
    assert coded == {*(f"docs/{page}.md" for page in RUN_HERE), *RUN_ELSEWHERE, *PARSED, *OF_A_CHECKOUT}


@pytest.mark.parametrize(  # the guide's commands, in tests of its own, are those of the first page, too
    "page", [pytest.param(page, marks=[pytest.mark.slow] if page == "start" else []) for page in RUN_HERE]
)
def test_programs_and_commands_run(page, tmp_path, monkeypatch, tiny_options):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    names = {}
    for kind, body in blocks(f"docs/{page}.md"):
        if body.startswith("# my_lab/"):
            (tmp_path / "my_lab").mkdir()
            (tmp_path / body.split()[1]).write_text(body)
        elif kind == "python":
            exec(body, names)
        elif kind == "sh":
            for command in body.splitlines():
                short = re.sub("--total-steps 1e5 --seeds 2", shlex.join(tiny_options), command).replace("2e5", "2.4e3")
                assert main(shlex.split(short)[1:]) == 0
    uninstall("my_lab")


def test_commands_for_many_devices_are_understood(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    understood = []
    monkeypatch.setattr(train, "run", lambda given, learner: understood.append(given) or 0)
    monkeypatch.setattr(train, "connect", lambda given: None)
    commands = [line for page in PARSED for kind, body in blocks(page) if kind == "sh" for line in body.splitlines()]
    trained = [command[command.index("influence-jax") :] for command in commands if "influence-jax train" in command]
    for command in trained:
        arguments = shlex.split(command.replace('"', ""), comments=True)[1:]
        assert main(arguments) == 0, command
    assert len(understood) == len(trained) > 3
    for command in (command for command in commands if command.startswith("influence-jax sweep")):
        if "--optuna" not in command:
            assert main([*shlex.split(command)[1:], "--dry-run"]) == 0, command


def test_make_knows_what_it_is_asked_for():
    targets = re.findall(r"^([\w-]+):", text_of("Makefile"), flags=re.MULTILINE)
    workflows = [path.relative_to(ROOT) for path in (ROOT / ".github").rglob("*.yml")]
    assert len(workflows) == 5 and all(yaml.safe_load(text_of(path)) for path in workflows)
    for path in ("CONTRIBUTING.md", "RELEASING.md", *workflows):
        assert set(re.findall(r"(?:^|`|run: )make ([\w-]+)", text_of(path), flags=re.MULTILINE)) <= set(targets), path


def test_the_page_in_a_registry_links_to_nothing_that_is_not_there():
    assert 'readme = "docs/pypi.md"' in (ROOT / "pyproject.toml").read_text()
    assert all(target.startswith("https://") for target in re.findall(r"\]\(([^)]+)\)", text_of("docs/pypi.md")))
    commands = "".join(body for kind, body in blocks("docs/pypi.md") if kind == "sh").splitlines()
    assert all(re.search(rf"^{re.escape(command)}( +#.*)?$", text_of("README.md"), re.M) for command in commands)


def test_the_site_is_built_and_loads_nothing_from_elsewhere(tmp_path):
    for name in ("material", "mkdocs_jupyter", "mkdocstrings_handlers"):
        pytest.importorskip(name, reason="the site's packages are not installed (make docs)")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, close_fds=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for page in tmp_path.rglob("*.html"):
        loads = re.findall(
            r"<(?:script|link|img|iframe|video|source)\b[^>]*?\b(?:src|href)=[\"']?(\S+?)[\"'>\s]", page.read_text()
        )
        assert loads and not [target for target in loads if re.match(r"(https?:)?//", target)], page
        assert 'class="mermaid"' not in page.read_text()  # whose program would come from elsewhere
    for style in tmp_path.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//|@import", style.read_text()), style
    shown = (tmp_path / "docs" / "api" / "settings" / "index.html").read_text()
    assert "Output channels of the 3 x 3 convolution." in shown  # which is a declaration, and no docstring
