"""What commands that look at several runs share."""

import pathlib

from influence_jax.cli.groups import GroupOptions
from influence_jax.cli.options import parse


def test_directories_and_settings():
    options = parse(GroupOptions, ["runs/a", "runs/b", "--by", "seed", "discount"], "prog")
    assert options.directories == (pathlib.Path("runs/a"), pathlib.Path("runs/b"))
    assert options.runs == ["runs/a", "runs/b"] and options.by == ("seed", "discount")
