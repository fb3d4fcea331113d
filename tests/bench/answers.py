"""Questions at their smallest."""

import importlib
import json

import tyro

NOT_OF_THIS_MACHINE = {"all", "compiled", "compare"}


def answer(question, out, *options):
    """Run a question at its smallest; return what it writes."""
    module = importlib.import_module(f"influence_jax.bench.{question}")
    arguments = tyro.cli(module.Arguments, args=[*module.SMOKE, *options, "--out", str(out)])
    module.main(arguments)
    return json.loads((out / f"{question}.json").read_text())
