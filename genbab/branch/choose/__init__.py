"""Which split comes next, and at which point: scores, candidates, tables, inputs beside neurons."""
