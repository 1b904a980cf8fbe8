"""The definition of every kernel, in plain torch; the other backends agree with it."""
