"""A run that the command line made."""

import pytest

from influence_jax.cli import main
from tests.cli.commands import TRAIN


@pytest.fixture(scope="session")
def run_directory(tiny_options, tmp_path_factory):
    out = tmp_path_factory.mktemp("cli") / "run"
    assert main([*TRAIN, *tiny_options, "--out", str(out)]) == 0
    return out
