"""From relations in any order to the internal form."""
