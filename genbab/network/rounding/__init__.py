"""What a program in floating-point numbers may compute instead of what its operators mean."""
