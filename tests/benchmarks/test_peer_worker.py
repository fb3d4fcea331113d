"""The process that steps another package's game."""

import pytest

from benchmarks import peers
from tests.bench.answers import answer

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


@pytest.mark.slow
def test_peers_are_measured_in_the_same_run(tmp_path):
    checkout = tmp_path / "checkout"
    (checkout / "socialjax").mkdir(parents=True)
    (checkout / "socialjax" / "__init__.py").write_text(PEER)
    (checkout / "socialjax" / "registration.py").touch()
    ours, peer, *_ = answer(peers, tmp_path, "--socialjax", str(checkout))["rows"]
    assert ours["version"] == "JAX" and peer["version"] == "socialjax"
    assert peer["game"] == "clean_up" and peer["num_envs"] == 2 and peer["fraction_of_limit"] > 0
