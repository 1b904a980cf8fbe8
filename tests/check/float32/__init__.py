"""The checker's rules for float32 against executions in many styles."""
