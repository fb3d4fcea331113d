"""Throughput measurements; each module answers one question and is run as ``python -m benchmarks QUESTION``."""
