"""Throughput measurements; each module answers one question and is run as ``python -m influence_jax.bench QUESTION``."""
