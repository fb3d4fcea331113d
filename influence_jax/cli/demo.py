"""``influence-jax demo``: train small agents, and show what they do."""

import dataclasses
import pathlib
import time

from influence_jax.cli.options import parse
from influence_jax.runtime.compilation import keep_compiled_programs
from influence_jax.settings import ConfigError


@dataclasses.dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """Train agents on Box Trapped, with and without a reward for influence, and on a small Cleanup: minutes on two cores."""

    out: pathlib.Path = pathlib.Path("demo")
    """Directory for runs, images and videos."""


def main(arguments: list[str]) -> int:
    """Show the demonstration."""
    out = parse(DemoOptions, arguments, "influence-jax demo").out
    if out.exists():
        raise ConfigError(f"out is {str(out)!r}, which exists; allowed: a new directory.")
    from influence_jax import demo
    from influence_jax.runtime.progress import Terminal

    started, console = time.perf_counter(), Terminal()
    keep_compiled_programs()
    console.print(demo.box_trapped(out))
    console.print(demo.cleanup(out))
    names = ", ".join(str(path) for path in sorted(out.iterdir()) if path.is_file())
    print(f"Look at {names}.")
    print(f"All in all {time.perf_counter() - started:.0f} s.")
    return 0
