"""``sweep.json`` is read, or refused in a sentence."""

import json

import pytest

import influence_jax
from influence_jax.config import ConfigError
from tests.sweeps.conftest import SPACE


def test_what_is_no_sweep_is_refused(small, whole, tmp_path):
    with pytest.raises(ConfigError, match="is not empty"):
        influence_jax.sweep(small, **SPACE, out=whole[1])
    for text in ("{", "[]", '{"format_version": 9}', '{"format_version": 1}'):
        (tmp_path / "sweep.json").write_text(text)
        with pytest.raises(ConfigError, match=r"sweep.json"):
            influence_jax.load(tmp_path)
    about = json.loads((whole[1] / "sweep.json").read_text())
    about["config"]["env"]["name"] = "evil:Game"
    (tmp_path / "sweep.json").write_text(json.dumps(about))
    with pytest.raises(ConfigError, match="names code outside of this package"):
        influence_jax.load(tmp_path)


@pytest.mark.parametrize(
    "grid", [{"learner.shaper": ["individual", "evil:shaper"]}, {"learner.metrics": [[], ["evil:metric"]]}]
)
def test_code_that_only_a_trial_names_is_refused(whole, tmp_path, grid):
    about = json.loads((whole[1] / "sweep.json").read_text())
    about |= {"space": {"grid": grid}, "programs": []}
    (tmp_path / "sweep.json").write_text(json.dumps(about))
    with pytest.raises(ConfigError, match="names code outside of this package"):
        influence_jax.load(tmp_path)
