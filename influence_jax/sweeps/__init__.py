"""Sweeps: what to try, in how few programs, and the results."""
