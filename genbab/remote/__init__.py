"""One search on the machines of a cluster."""
