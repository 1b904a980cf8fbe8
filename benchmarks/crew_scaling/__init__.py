"""What `benchmarks/scaling.py` is made of: a recorded tree, costs, a simulated crew, real runs."""
