"""Layers that do what follows them in the same pass over memory, by operations of oneDNN."""
