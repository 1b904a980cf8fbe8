"""What executions of a model in float32 may add to each tensor, from the intervals of what they compute."""
