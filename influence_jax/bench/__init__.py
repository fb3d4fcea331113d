"""Throughput measurements; each module answers one question of ``influence-jax bench``."""
