"""Measurements of speed and memory; each module answers one question of ``influence-jax bench``."""
