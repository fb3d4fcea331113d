"""Benchmarks that need a checkout: ``python -m benchmarks QUESTION``; each module answers one question."""
