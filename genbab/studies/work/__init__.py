"""How a study's questions are answered: one by one, here or in processes that share the file."""
