"""What a run leaves behind: the history of its bound, and the proof of its verdict."""
