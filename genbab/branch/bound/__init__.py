"""How the children of a split are bounded: by their inputs, by split neurons, with all that is given."""
