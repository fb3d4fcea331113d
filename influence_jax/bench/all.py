"""All questions, each in a process of its own, so that none inherits another's memory or cores."""

import dataclasses
import importlib
import pathlib
import subprocess
import sys

QUESTIONS = ("env", "learner", "influence", "scaling", "memory")


@dataclasses.dataclass(frozen=True)
class Arguments:
    """How to measure."""

    smoke: bool = False
    """Use tiny sizes, to check that everything runs."""
    out: pathlib.Path | None = None
    """Directory for the results."""


def main(arguments: Arguments) -> int:
    """Ask every question; return 1 if one of them failed."""
    failed = []
    for question in QUESTIONS:
        smallest = importlib.import_module(f"influence_jax.bench.{question}").SMOKE if arguments.smoke else ()
        out = ["--out", str(arguments.out)] if arguments.out else []
        command = [sys.executable, "-m", "influence_jax", "bench", question, *smallest, *out]
        if subprocess.run(command, check=False, close_fds=False).returncode:
            failed.append(question)
    if failed:
        print(f"influence-jax bench: failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))
