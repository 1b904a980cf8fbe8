"""The rules of the house, each as a test: sizes, names, docstrings, floors, words."""
