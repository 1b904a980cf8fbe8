"""What `benchmarks/elementary.py` measures with: exact values, runtimes, errors by place, pieces, tables."""
