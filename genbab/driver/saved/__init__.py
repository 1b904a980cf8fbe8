"""Where a run stands, as data: written to its checkpoint, and taken up again where it fits the question."""
