"""The names of the analysis, which are imported on first use."""

import subprocess
import sys

import pytest

from influence_jax import analysis


def test_every_name_is_there_and_says_what_it_is():
    for name in analysis.__all__:
        assert getattr(analysis, name).__doc__ and name in dir(analysis)
    assert analysis.__all__ == sorted(analysis.__all__)


def test_reading_metrics_waits_for_neither_scipy_nor_matplotlib():
    code = "import sys, influence_jax.analysis.load; assert not {'scipy', 'matplotlib', 'jax'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, close_fds=False)


def test_what_there_is_not_is_named():
    with pytest.raises(AttributeError, match=r"module 'influence_jax.analysis' has no attribute 'gigi'"):
        analysis.gigi
