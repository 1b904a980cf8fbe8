"""Functions as expressions: written, traced, evaluated on intervals and with their derivatives."""
