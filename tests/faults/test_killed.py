"""A run that is killed and stopped repeatedly equals an uninterrupted one; `killed` does this more often."""

import pytest

from tests.conftest import quickly, tiny_arguments
from tests.faults import killed


@pytest.mark.slow
@pytest.mark.parametrize("what", ["run", "sweep"])
def test_killed_and_stopped(what):
    command = [*killed.COMMANDS[what], *tiny_arguments(total_steps="1.2e4")]
    story = list(killed.main(command, kills=1, terminations=1, environment=quickly(), most=0.3))
    assert any("signals stopped what was training" in line and not line.startswith("0") for line in story), story
