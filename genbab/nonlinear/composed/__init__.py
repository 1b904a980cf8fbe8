"""Records of expressions and of what users bring: facts found rigorously, checked, kept."""
