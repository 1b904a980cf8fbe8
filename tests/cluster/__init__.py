"""Work on clusters: with stand-ins for Ray, and with Ray where it is installed."""
