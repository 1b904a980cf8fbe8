"""Inputs of integers, from the file to the verdict."""
