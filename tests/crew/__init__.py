"""Crews: one search by several processes."""
