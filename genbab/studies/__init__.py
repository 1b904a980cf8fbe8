"""Studies: many questions about models, answered one after the other and kept in one file.

`store` keeps, `engine` works, the other modules ask. Importing this package loads no torch.
"""
