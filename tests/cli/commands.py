"""Commands for a small run, and their refusals."""

from influence_jax.cli import main

TRAIN = ["train", "harvest-moa", "--profile", "small"]
SWEEP = ["sweep", *TRAIN[1:]]


def refusal(capsys, *arguments):
    """Return the one-sentence refusal of a command."""
    assert main(list(arguments)) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


def assert_refused(capsys, tmp_path, monkeypatch, arguments, sentence):
    """Check that a command is refused and leaves nothing behind."""
    monkeypatch.chdir(tmp_path)
    assert sentence in refusal(capsys, *arguments.split())
    assert not list(tmp_path.iterdir())
