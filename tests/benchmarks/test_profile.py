"""``python -m benchmarks profile``: where the time goes, by name."""

import pytest

from benchmarks import profile
from tests.bench.answers import answer


@pytest.mark.slow
def test_profile_names_operations(tmp_path):
    result = answer(profile, tmp_path)
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
    sources = profile.operation_sources(text)
    assert sources["d"] == "net/add" and sources["e"] == "dot f32[2]"
