"""Texts: what their bytes mean, and how they become tokens."""
