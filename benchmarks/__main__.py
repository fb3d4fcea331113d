"""The command line, ``python -m benchmarks QUESTION [options]``."""

import sys

from influence_jax.cli.bench import ask
from influence_jax.settings import ConfigError

QUESTIONS = {
    "limits": "environment steps per second, compared with the same games in C",
    "peers": "environment steps per second, compared with other packages' games",
    "encoder": "how fast the encoder is, written in several ways",
    "profile": "where the time of one update goes",
    "compiled": "what the compilers of absent accelerators estimate",
    "learning": "how long until agents have learned something, compared with a textbook PPO",
    "agreement": "whether this accelerator computes what the CPU computes",
}


def main(arguments: list[str]) -> int:
    """Answer a question and return the exit status: 0, 1 if the answer is no, or 2 if it cannot be measured."""
    try:
        return ask("python -m benchmarks", "benchmarks", QUESTIONS, arguments)
    except ConfigError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
