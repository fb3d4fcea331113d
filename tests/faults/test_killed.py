"""A run that was killed and stopped again and again is the run that was left alone; `killed` does it more often."""

from tests.conftest import quickly
from tests.faults import killed


def test_killed_and_stopped(tiny_options):
    train = ["train", "harvest-a3c", "--profile", "small", *tiny_options]
    story = killed.main(kills=1, terminations=1, train=train, environment=quickly())
    assert len(story) == 3 or "status 0" in story[-1]
