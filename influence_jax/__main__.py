"""``python -m influence_jax``."""

from influence_jax.cli import run

run()
