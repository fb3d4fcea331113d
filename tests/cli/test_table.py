"""``influence-jax table``."""

import pandas
import pytest

import influence_jax
from influence_jax.cli import main
from tests.cli.commands import refusal


@pytest.mark.parametrize("name, read", [("t.csv", pandas.read_csv), ("t.parquet", pandas.read_parquet)])
def test_all_log_points_of_all_members(run_directory, tmp_path, capsys, name, read):
    run, out = influence_jax.load(run_directory), tmp_path / name
    assert main(["table", str(run_directory), "--out", str(out)]) == 0
    members, points = len(run.members), len(run.metrics["update"])
    assert capsys.readouterr().out == f"{members * points} rows: {out}\n"
    table = read(out)
    assert len(table) == members * points and {"member", "agent_returns[0]"} <= set(table.columns)
    pandas.testing.assert_frame_equal(table, run.table(), check_dtype=False)
    assert "exists; allowed: a new file" in refusal(capsys, "table", str(run_directory), "--out", str(out))


def test_one_row_for_each_member(run_directory, tmp_path):
    run, out = influence_jax.load(run_directory), tmp_path / "final.csv"
    assert main(["table", str(run_directory), "--out", str(out), "--final"]) == 0
    table = pandas.read_csv(out)
    assert table["member"].tolist() == list(range(len(run.members)))
    assert table["entropy"].to_numpy() == pytest.approx(
        run.metrics["entropy"][-1]
    )  # few log points: the end is the last


def test_what_cannot_be_written_is_refused(capsys, run_directory, tmp_path):
    assert "allowed: files that end in .parquet or .csv" in refusal(
        capsys, "table", str(run_directory), "--out", "x.txt"
    )
    assert "holds no run" in refusal(capsys, "table", str(tmp_path), "--out", str(tmp_path / "x.csv"))
    nowhere = str(tmp_path / "none" / "x.csv")
    assert "which cannot be written" in refusal(capsys, "table", str(run_directory), "--out", nowhere)
