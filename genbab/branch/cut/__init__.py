"""What cuts a domain before it is split: half-spaces, conjunctions, forms, hidden intervals."""
