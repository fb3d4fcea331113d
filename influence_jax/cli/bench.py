"""``influence-jax bench``: measure speed and memory on this machine."""

import importlib

from influence_jax.cli.options import parse
from influence_jax.settings import ConfigError, nearest

QUESTIONS = {
    "env": "environment steps per second",
    "learner": "environment steps per second while learning, compared with the arithmetic it needs",
    "influence": "what influence costs",
    "scaling": "throughput against the number of environments, seeds and agents, with plots",
    "memory": "peak memory of training, and a formula for it",
    "all": "all of the above, each in its own process",
    "compare": "how two saved results differ, by more than their calls vary or not",
}


def main(arguments: list[str]) -> int:
    """Answer a question; return the exit status."""
    return ask("influence-jax bench", "influence_jax.bench", QUESTIONS, arguments)


def ask(program: str, package: str, questions: dict[str, str], arguments: list[str]) -> int:
    """Answer one of a package's questions, each a module with `Arguments` and `main`; without arguments, list them."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"usage: {program} QUESTION [options]    (QUESTION --help lists them)\n")
        print("".join(f"  {name:<11} {summary}\n" for name, summary in questions.items()), end="")
        return 0 if arguments else 2
    name, *rest = arguments
    if name not in questions:
        raise ConfigError(f"question is {name!r}; allowed: {', '.join(questions)}.{nearest(name, list(questions))}")
    question = importlib.import_module(f"{package}.{name}")
    return question.main(parse(question.Arguments, rest, f"{program} {name}", question.__doc__)) or 0
