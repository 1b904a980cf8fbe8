"""Which split comes next, and at which point: scores, tables, trials."""
