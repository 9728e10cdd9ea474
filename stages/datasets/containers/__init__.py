"""Samples that lie inside larger files: where each begins, how long it is, and what it says."""
