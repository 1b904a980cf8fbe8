"""Searches as data: where one stands, to be written to a file or sent, and taken up again anywhere."""
