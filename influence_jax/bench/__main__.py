"""The benchmarks' command line, ``python -m influence_jax.bench QUESTION [options]``; also ``influence-jax bench``."""

import dataclasses
import importlib
import sys

import tyro

from influence_jax.settings import ConfigError, file_path, nearest

QUESTIONS = {
    "env": "environment steps a second, beside the same games in C",
    "learner": "environment steps a second while learning, beside the arithmetic it needs",
    "influence": "what influence costs",
    "scaling": "throughput against the number of environments, seeds and agents, with plots",
    "encoder": "how fast the encoder is, written in several ways",
    "memory": "peak memory of training, and a formula for it",
    "profile": "where the time of one update goes",
    "compiled": "what the compilers of accelerators that are not there make of it",
    "agreement": "whether this accelerator computes what the CPU computes",
    "compare": "how two saved results differ, by more than their calls vary or not",
    "all": "each of these that measures, in a process of its own",
}
USAGE = "usage: influence-jax bench QUESTION [options]    (QUESTION --help lists them)\n\n" + "".join(
    f"  {name:<11} {summary}\n" for name, summary in QUESTIONS.items()
)


def main(arguments: list[str]) -> int:
    """Answer a question; return the exit status: 2 for what cannot be measured."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0 if arguments else 2
    name, *rest = arguments
    try:
        if name not in QUESTIONS:
            hint = nearest(name, list(QUESTIONS))
            raise ConfigError(f"question is {name!r}; allowed: {', '.join(QUESTIONS)}.{hint}")
        question = importlib.import_module(f"influence_jax.bench.{name}")
        options = tyro.cli(
            question.Arguments, args=rest, prog=f"influence-jax bench {name}", description=question.__doc__
        )
        if getattr(options, "out", None) is not None:
            options = dataclasses.replace(options, out=file_path("out", options.out))
        return question.main(options) or 0
    except ConfigError as error:
        print(f"influence-jax bench: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
