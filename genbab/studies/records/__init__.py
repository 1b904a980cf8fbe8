"""What a study keeps: questions, answers, where they come from; the file, and what can be made of it."""
