"""Benchmarks, one file each, with peers in the same run; `python -m loadtest.bench` (make bench) runs them all."""
