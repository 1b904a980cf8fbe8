"""Functions of whole rows: softmax and norms, and planes below them."""
