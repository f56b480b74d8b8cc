"""Benchmarks, which are not tests: `python -m tests.benchmarks kernel`."""
