"""Running benchmark questions at their smallest sizes."""

import json

import tyro


def answer(question, out, *options):
    """Run a question, given as its module, at its smallest size; return the result that it writes."""
    arguments = tyro.cli(question.Arguments, args=[*question.SMOKE, *options, "--out", str(out)])
    question.main(arguments)
    return json.loads((out / f"{question.__name__.rpartition('.')[2]}.json").read_text())
