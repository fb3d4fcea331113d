"""``python -m benchmarks compiled``: programs for absent devices."""

import importlib.util

import pytest

from benchmarks import __main__ as command_line
from benchmarks import compiled
from benchmarks.compiled import TARGETS, Text, library_products
from tests.bench.answers import answer

pytestmark = pytest.mark.compile_fully

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


def test_products_of_a_library_are_named():
    product = (
        '%x = (f32[5,8]{1,0}, s8[9]{0}) custom-call(%a), custom_call_target="__cublas$lt$matmul", metadata={op_name='
    )
    source = '"jit(chunk)/vmap(jvp(AgentNetwork.unroll))/core/dot_general"}'
    assert library_products(f"  {product}{source}\n%y = f32[5] add(%b)") == [
        "f32[5,8] AgentNetwork.unroll))/core/dot_general"
    ]


@pytest.mark.parametrize("target", TARGETS)
def test_programs_are_compiled_for_a_device_that_is_not_there(target, tmp_path, capsys):
    if any(importlib.util.find_spec(name) is None for name in TARGETS[target].packages):
        assert command_line.main(["compiled", "--target", target]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "cannot be imported; install influence_jax[compiled]." in line
        return
    (row,) = answer(compiled, tmp_path, "--target", target)["rows"]
    assert row["target"] == target and 0 < row["per_env_step"] < 1e6 and row["most_trips"] <= 64
    assert (tmp_path / "compiled.json").exists()


@pytest.mark.slow
def test_an_estimate_for_the_device_that_is_here_is_held_against_what_it_runs(tmp_path):
    (row,) = answer(compiled, tmp_path, "--target", "here")["rows"]
    assert row["measured_per_env_step"] == pytest.approx(row["per_env_step"], rel=0.3) and row["measured_seconds"] > 0
