"""Studies: many questions about models, answered one after the other and kept in one file.

`questions` and their answers are values, `store` keeps them, `engine` works, the other modules ask. Importing
this package loads no torch.
"""
