"""``influence-jax best``; what it prints is tested with ``sweep``."""

from tests.cli.commands import refusal


def test_what_is_no_sweep_is_refused(capsys, tmp_path, run_directory):
    assert "holds a run; allowed: the directory of a sweep" in refusal(capsys, "best", str(run_directory))
    assert "holds no run" in refusal(capsys, "best", str(tmp_path))
    assert "count is 0; allowed" in refusal(capsys, "best", str(run_directory), "--count", "0")
