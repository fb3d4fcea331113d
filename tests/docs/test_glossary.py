"""Every name in the glossary is one of the package."""

import dataclasses
import pathlib
import re

from influence_jax import analysis, presets
from influence_jax.config import declared
from influence_jax.evaluation.trace import Trace
from influence_jax.influence import MODELS, counterfactual
from influence_jax.influence.measures import MEASURES
from influence_jax.types import CounterfactualBatch, Trajectory

ROOT = pathlib.Path(__file__).parents[2]
SETTINGS = {path for path, _, _ in declared(presets.get("cleanup-communication"))}
FIELDS = {field.name for kind in (Trace, Trajectory, CounterfactualBatch) for field in dataclasses.fields(kind)}
NAMES = FIELDS | SETTINGS | {path.rpartition(".")[2] for path in SETTINGS} | {*MODELS, *MEASURES, *dir(counterfactual)}
NAMES |= {*analysis.__all__, *"STEUNKJAM", "collective_return", "influence_jax.analysis"}
NAMES |= {"influence_jax.influence.counterfactual", "Trace.actions", "NetworkFunctions.zero_carry"}
NAMES |= {f"CounterfactualBatch.{field.name}" for field in dataclasses.fields(CounterfactualBatch)}


def test_every_name_is_one_of_the_package():
    named = re.findall(r"`([^`]+)`", (ROOT / "docs" / "glossary.md").read_text())
    assert len(named) > 50 and not {*named} - NAMES
