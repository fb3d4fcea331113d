"""The benchmarks run, at sizes that say nothing about speed."""

import functools
import importlib.util
import json
import os
import pathlib
import subprocess

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tyro

import benchmarks.env
import benchmarks.influence
import benchmarks.learner
from benchmarks import __main__ as command_line
from benchmarks import compare, encoder, harness, limits
from benchmarks.agreement import same_leaves
from benchmarks.compiled import TARGETS, Text
from benchmarks.profile import operation_sources
from benchmarks.scaling import flat_from
from influence_jax import cli, presets
from influence_jax.learner.learner import make_learner
from influence_jax.networks.encoder import ConvEncoder

pytestmark = pytest.mark.usefixtures("compile_quickly")


@pytest.fixture
def compile_fully(compile_quickly):
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", True)


def answer(question, out, *options):
    """Run a question at its smallest; return what it writes."""
    module = importlib.import_module(f"benchmarks.{question}")
    arguments = tyro.cli(module.Arguments, args=[*module.SMOKE, *options, "--out", str(out)])
    module.main(arguments)
    return json.loads((out / f"{question}.json").read_text())


def test_environment_benchmark_writes_stamped_rows_beside_c(tmp_path):
    result = answer("env", tmp_path, "--repeats", "3")
    assert {"device", "cores_used", "jax", "commit"} <= result["machine"].keys()
    ours, *others = result["rows"]
    assert ours["env_steps_per_call"] == 4 and ours["repeats"] == 3 and ours["compile_seconds"] > 0
    assert 0 < ours["slowest_env_steps_per_second"] <= ours["median_env_steps_per_second"]
    assert ours["peak_bytes"] > 2 * 5 * 15 * 15 * 3
    assert ours["fraction_of_limit"] > 0
    if limits.compiler():
        assert [row["version"] for row in others] == list(benchmarks.env.C_FLAGS)
        assert ours["limit"].startswith("C -O3") and others[0]["fraction_of_limit"] == pytest.approx(
            1 / result["machine"]["cores_used"]
        )


def test_environment_benchmark_without_a_compiler(tmp_path, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    (row,) = answer("env", tmp_path)["rows"]
    assert row["limit"] == "copying states and views" and row["fraction_of_limit"] > 0


# A package that looks like SocialJax to the worker, but does nothing.
PEER = """
import jax, types
class Space: n = 9
class Env:
    def __init__(self, num_agents): self.agents = [str(i) for i in range(num_agents)]
    def action_space(self, agent): return Space
    def reset(self, key): return jax.numpy.zeros(3), jax.numpy.zeros(())
    def step(self, key, state, actions):
        return jax.numpy.ones(3) * sum(actions), state + 1, actions[0], False, {}
def make(name, num_agents): return Env(num_agents)
"""


def test_peers_are_measured_in_the_same_run(tmp_path):
    checkout = tmp_path / "checkout"
    (checkout / "socialjax").mkdir(parents=True)
    (checkout / "socialjax" / "__init__.py").write_text(PEER)
    (checkout / "socialjax" / "registration.py").touch()
    rows = answer("env", tmp_path, "--socialjax", str(checkout))["rows"]
    peer = next(row for row in rows if row.get("version") == "socialjax")
    assert peer["game"] == "clean_up" and peer["num_envs"] == 2 and peer["fraction_of_limit"] > 0


@pytest.mark.parametrize("broken", ["no checkout", "import fails", "no interpreter"])
def test_a_peer_that_cannot_run_is_one_sentence(tmp_path, capsys, broken):
    options = [*benchmarks.env.SMOKE, "--socialjax", str(tmp_path)]
    expected = "allowed is a checkout of SocialJax."
    if broken != "no checkout":
        (tmp_path / "socialjax").mkdir()
        (tmp_path / "socialjax" / "registration.py").touch()
        (tmp_path / "socialjax" / "__init__.py").write_text("import no_such_module")
        expected = "No module named 'no_such_module'"
    if broken == "no interpreter":
        options += ["--peer-python", "no-such-python"]
        expected = "peer_python is 'no-such-python', which cannot be run"
    assert command_line.main(["env", *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line


def test_learner_benchmark_counts_the_arithmetic(tmp_path):
    (row,) = answer("learner", tmp_path)["rows"]
    assert row["macs_per_agent_step"] == 144_050 and row["num_agents"] == 5  # 27,378 + 32,448 + 1,024 + 81,920 + 1,280
    assert row["fraction_of_limit"] > 0 and row["limit"].startswith("arithmetic")


@pytest.mark.parametrize(
    ("preset", "thousands"), [("cleanup-visible-actions", 162), ("cleanup-communication", 172), ("cleanup-moa", 306)]
)
def test_arithmetic_of_the_other_networks(preset, thousands):
    macs = benchmarks.learner.macs_per_agent_step(make_learner(presets.get(preset, "small")))
    assert macs == pytest.approx(1000 * thousands, rel=0.03)


def test_influence_benchmark_times_every_way(tmp_path):
    result = answer("influence", tmp_path)
    ways = {(row["preset"], row["way"]) for row in result["rows"]}
    assert ways == {("cleanup-communication", way) for way in ("without", "with_influence", "naive")}
    assert result["time_added"]["cleanup-communication"].keys() == {"with_influence", "naive"}


def test_median_ignores_a_slow_call():
    timing = harness.Timing(harness.Program("x", lambda: None, 100), [0.1, 0.1, 5.0])
    row = timing.row()
    assert row["median_env_steps_per_second"] == 1000 and row["slowest_env_steps_per_second"] == 20


def test_fraction_of_the_limit_is_by_turn():
    timing = harness.Timing(harness.Program("x", lambda: None, 10), [1.0, 4.0, 1.0])
    assert timing.against("y", [0.05, 0.2, 0.05]).fraction_of_limit == 0.5


def test_what_is_shared_is_counted_once():
    compiled = jax.jit(lambda x: x + 1, donate_argnums=0).lower(jnp.zeros(1000)).compile()
    assert 4000 <= harness.peak_bytes(compiled) < 5000


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["evn"], "question is 'evn'; allowed: env, learner, "),
        (["learner", "--presets", "cleanup-a3d"], "Did you mean 'cleanup-a3c'?"),
    ],
)
def test_refusals(arguments, sentence, capsys):
    assert command_line.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line


def test_questions_are_listed(capsys):
    assert command_line.main([]) == 2 and command_line.main(["--help"]) == 0
    assert capsys.readouterr().out.count("what influence costs") == 2


def test_results_are_compared_row_by_row(tmp_path, capsys):
    """Twice as fast is apart from calls that vary by a twentieth; 2 % faster is not."""

    def result(name, **factors):
        rows = [
            {"name": row, **{speed: 1000 * f * v for speed, v in zip(compare.SPEEDS, (0.95, 1, 1.05), strict=True)}}
            for row, f in factors.items()
        ]
        (tmp_path / name).write_text(json.dumps({"question": "q", "machine": {"load": len(rows)}, "rows": rows}))
        return str(tmp_path / name)

    before, after = result("a.json", one=1, two=1, gone=1), result("b.json", two=1.02, one=2)
    assert compare.compare(*(compare.read(pathlib.Path(path)) for path in (before, after))) == [
        ("one", 1000, 2000, True),
        ("two", 1000, 1020, False),
    ]
    assert command_line.main(["compare", before, after]) == 0
    printed = capsys.readouterr().out
    assert "2.000" in printed and printed.count("within the spread") == 1 and "load: 3 before, 2 after" in printed
    for other in (result("c.json", other=1), str(tmp_path / "none.json")):
        assert command_line.main(["compare", before, other]) == 2
        assert "allowed" in capsys.readouterr().err


def test_scaling_draws_every_axis(tmp_path):
    axes = answer("scaling", tmp_path)["axes"]
    assert axes["environments"]["flat_from"]["cleanup"] in (1, 2)
    assert {row["seeds"] for row in axes["seeds"]["rows"]} == {2}
    (cost,) = axes["agents"]["cost_by_agents"]
    assert cost["num_agents"] == 2 and cost["learner_microseconds_per_agent"] > 0
    for axis in axes:
        assert (tmp_path / f"scaling_{axis.replace(' ', '_')}.png").stat().st_size > 1000
        assert all(row["fraction_of_limit"] > 0 for row in axes[axis]["rows"])


def test_flat_is_where_the_cost_no_longer_varies():
    assert flat_from({1: 5.0, 2: 1.2, 4: 1.0, 8: 1.05}) == 4
    assert flat_from({1: 1.0, 2: 1.1, 4: 1.2}) == 2


def test_every_way_to_encode_gives_the_same(tmp_path):
    views = jax.random.randint(jax.random.key(0), (3, *encoder.VIEW), 0, 256, jnp.uint8)
    params = ConvEncoder(encoder.CHANNELS).init(jax.random.key(1), views)["params"]
    params["bias"] = 0.1 * jax.random.normal(jax.random.key(2), params["bias"].shape)
    expected = encoder.convolution(params, views)
    for way in (encoder.sum_of_slices, *(functools.partial(encoder.bands, width) for width in (3, 7, 13))):
        np.testing.assert_allclose(way(params, views), expected, atol=1e-5)
    rows = answer("encoder", tmp_path)["rows"]
    assert len(rows) == 6 and all(row["fraction_of_limit"] > 0 for row in rows)


def test_memory_is_what_the_formula_says(tmp_path, compile_fully):
    (row,) = answer("memory", tmp_path, "--presets", "cleanup-moa", "--sizes", *"32 8 3 2".split())["rows"]
    assert abs(row["error"]) < 0.15 and row["process_peak_bytes"] > row["measured_bytes"]


def test_profile_names_operations(tmp_path):
    result = answer("profile", tmp_path)
    shares = [row["share"] for row in result["rows"]]
    assert shares == sorted(shares, reverse=True) and 0.2 < sum(shares) <= 1.0001
    assert any("AgentNetwork" in row["source"] for row in result["rows"])


def test_sources_of_operations():
    text = """
%inner (p: f32[2]) -> f32[2] {
  %a = f32[2]{0} add(%p, %p), metadata={op_name="net/add"}
  ROOT %b = f32[2]{0} copy(%a)
}

%bare (p: f32[2]) -> f32[2] {
  ROOT %c = f32[2]{0} dot(%p, %p)
}

ENTRY %main (p: f32[2]) -> f32[2] {
  %d = f32[2]{0} fusion(%p), kind=kLoop, calls=%inner
  ROOT %e = f32[2]{0} fusion(%d), kind=kCustom, calls=%bare
}
"""
    sources = operation_sources(text)
    assert sources["d"] == "net/add" and sources["e"] == "dot f32[2]"


def test_a_device_agrees_with_itself(tmp_path):
    rows = answer("agreement", tmp_path)["rows"]
    assert [row["agrees"] for row in rows] == [True, True] and rows[1]["error"] == 0


def test_disagreement_is_found():
    first = {"x": jnp.zeros(3), "y": jnp.zeros(2)}
    assert same_leaves(first, first | {"y": jnp.array([0.0, 1e-9])}) == {"['x']": True, "['y']": False}


NOT_OF_THIS_MACHINE = {"all", "compiled", "compare"}


def test_all_asks_every_question(monkeypatch, tmp_path, capsys):
    asked = []

    def run(command, **options):
        asked.append(command[3:])
        return subprocess.CompletedProcess(command, returncode=int(command[3] == "memory"))

    monkeypatch.setattr(subprocess, "run", run)
    assert command_line.main(["all", "--smoke", "--out", str(tmp_path)]) == 1
    assert [question for question, *_ in asked] == [
        name for name in command_line.QUESTIONS if name not in NOT_OF_THIS_MACHINE
    ]
    assert all("--out" in options for _, *options in asked)
    assert "failed: memory" in capsys.readouterr().err


def test_accelerator_script_asks_what_the_questions_know(tmp_path):
    asked = tmp_path / "asked"
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nshift 2\necho "$@" >>{asked}\n[ "$1" != profile ]\n')
    python.chmod(0o755)
    script = pathlib.Path(benchmarks.env.__file__).with_name("accelerator.sh")
    environment = os.environ | {"PYTHON": str(python)}
    done = subprocess.run(
        [script, "--small", tmp_path / "out"], env=environment, capture_output=True, text=True, close_fds=False
    )
    assert done.returncode == 1 and "failed or out of time: profile\n" in done.stdout
    lines = [line.split() for line in asked.read_text().splitlines()]
    assert {question for question, *_ in lines} == command_line.QUESTIONS.keys() - NOT_OF_THIS_MACHINE
    for question, *options in lines:
        arguments = tyro.cli(importlib.import_module(f"benchmarks.{question}").Arguments, args=options)
        assert arguments.out.parent == tmp_path / "out"


@pytest.mark.slow
def test_all_of_it(tmp_path):
    assert cli.main(["bench", "all", "--smoke", "--out", str(tmp_path)]) == 0
    assert {path.stem for path in tmp_path.glob("*.json")} == command_line.QUESTIONS.keys() - NOT_OF_THIS_MACHINE


# Two turns of a loop, of which each calls a computation or, on its condition, one of two; and what is neither.
PROGRAM = """HloModule jit_run

%called (a: f32[8]) -> f32[8] {
  ROOT %fusion.1 = f32[8]{0} fusion(%a), kind=kLoop, backend_config={"estimated_cycles":"10"}
}

%rare (a: f32[8]) -> f32[8] {
  %fusion.2 = f32[8]{0} fusion(%a), kind=kLoop, backend_config={"estimated_cycles":"1000"}
  ROOT %copy.3 = f32[8]{0} copy(%fusion.2), backend_config={"estimated_cycles":"7"}
}

%body (b: f32[8]) -> f32[8] {
  %call.4 = f32[8]{0} call(%b), to_apply=%called
  ROOT %conditional.5 = f32[8]{0} conditional(%p, %b, %call.4), branch_computations={%rare, %called}
}

%condition (b: f32[8]) -> pred[] {
  %constant.6 = s32[] constant(2)
}

ENTRY %main (a: f32[8]) -> f32[8] {
  %bitcast.7 = f32[8]{0} bitcast(%a)
  ROOT %while.8 = f32[8]{0} while(%bitcast.7), condition=%condition, body=%body, metadata={op_name="jit(run)/while"}
}
"""


@pytest.mark.parametrize(("unit", "amount"), [("cycles", 2 * (10 + 1007)), ("launches", 2 * (1 + 1 + 2))])
def test_what_a_program_costs_is_read_from_its_text(unit, amount):
    text = Text(PROGRAM, unit)
    assert text.total(text.entry) == amount
    assert text.loops == [{"trips": 2, "amount": amount, "source": "jit(run)/while"}]


@pytest.mark.parametrize("target", TARGETS)
def test_programs_are_compiled_for_a_device_that_is_not_there(target, tmp_path, capsys):
    if any(importlib.util.find_spec(name) is None for name in TARGETS[target].packages):
        assert command_line.main(["compiled", "--target", target]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "cannot be imported; allowed is to install influence_jax[compiled]." in line
        return
    (row,) = answer("compiled", tmp_path, "--target", target)["rows"]
    assert row["target"] == target and 0 < row["per_env_step"] < 1e6 and row["most_trips"] <= 64
    assert (tmp_path / "compiled.json").exists()
