"""Questions for a checkout, asked as ``python -m benchmarks QUESTION``; each module answers one."""
