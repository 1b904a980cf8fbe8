"""What a function is: the record of its facts, the registry, what follows from the facts alone."""
