"""Networks whose nonlinearity is a function of one number, or of one number and a scale."""
