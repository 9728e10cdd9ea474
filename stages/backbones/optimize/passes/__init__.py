"""Passes over a network's graph, each of which rewrites one kind of thing in place."""
