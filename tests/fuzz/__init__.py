"""Hostile input for everything that reads files: models, specifications, lists, arrays, images, studies."""
