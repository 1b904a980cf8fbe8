"""What bounds a function on a box: exact ranges, conjugates, default slopes, rigorous intercepts."""
