"""`genbab verify`: one question, one verdict."""
