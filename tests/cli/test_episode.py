"""What commands that play one episode share."""

import pytest

from influence_jax.cli.episode import EpisodeOptions, played
from influence_jax.config import ConfigError


def test_a_member_plays_an_episode(run_directory, tmp_path):
    trained, trace = played(EpisodeOptions(directory=run_directory, out=tmp_path, member=1, seed=3))
    assert (trained.update, len(trace)) == (100, 20)
    assert (trace.actions == trained.trace(1, 3).actions).all()


def test_a_member_that_there_is_not_is_refused(run_directory, tmp_path):
    with pytest.raises(ConfigError, match="member is 2; allowed: 0 to 1"):
        played(EpisodeOptions(directory=run_directory, out=tmp_path, member=2))
