"""Fixed points in place of turns: sound, recognised, and left alone where they are none."""
