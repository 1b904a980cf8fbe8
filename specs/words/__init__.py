"""What people say in Python: variables, terms, statements, regions, whole specifications."""
