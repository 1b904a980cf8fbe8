"""Passes of linear forms through a network: back to search, back with every rounding paid for, forward."""
