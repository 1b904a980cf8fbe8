"""`genbab run`: lists of instances, each in a process of its own."""
