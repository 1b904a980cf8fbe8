"""What raises bounds: slopes and multipliers, moved uphill together."""
