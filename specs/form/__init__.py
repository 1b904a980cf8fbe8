"""The internal form of a specification: boxes, clauses, declarations; described, restricted."""
