"""Studies: many questions about models, answered one after the other and kept in one file.

`records` are what is kept, `work` answers, the modules beside them ask. Importing this package loads no
torch.
"""
