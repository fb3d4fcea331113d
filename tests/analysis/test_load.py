"""The metrics of a run's directory."""

import pytest

from influence_jax.analysis import load_metrics
from influence_jax.settings import ConfigError


def test_nothing_recorded_is_nothing(tmp_path):
    assert load_metrics(tmp_path) == {} == load_metrics(str(tmp_path))


@pytest.mark.parametrize("directory", ["nowhere", "a\0b", __file__])
def test_what_is_no_directory_is_refused(directory):
    with pytest.raises(ConfigError, match=r"directory is .*; allowed: the directory of a run"):
        load_metrics(directory)
