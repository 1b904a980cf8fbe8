"""Products of features: fusion, gates, mixtures, graphs."""
