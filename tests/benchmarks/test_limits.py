"""``python -m benchmarks limits``: games compared with the same games in C."""

import jax
import pytest

from benchmarks import __main__ as command_line
from benchmarks import c_games, limits
from tests.bench.answers import answer


@pytest.mark.slow
@pytest.mark.skipif(c_games.compiler() is None, reason="there is no C compiler")
def test_games_are_measured_beside_c(tmp_path):
    result = answer(limits, tmp_path)
    ours, *others = result["rows"]
    assert ours["version"] == "JAX" and ours["fraction_of_limit"] > 0 and ours["limit"].startswith("C -O3")
    assert [row["version"] for row in others] == list(limits.C_FLAGS)
    assert others[0]["fraction_of_limit"] == pytest.approx(1 / result["machine"]["cores_used"])


def test_games_that_are_not_in_c_are_refused(capsys):
    assert command_line.main(["limits", "--games", "box-trapped", "--num-agents", "2", "--cores", "None"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("benchmarks: the environment is BoxTrapped; the C code has ")


def test_another_device_than_the_cpu_is_refused(capsys, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert command_line.main(["limits", *limits.SMOKE]) == 2
    assert capsys.readouterr().err == "benchmarks: JAX runs on a gpu and C on the CPU; allowed: JAX_PLATFORMS=cpu.\n"
