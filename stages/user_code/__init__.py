"""A user's own ``file.py:factory``: found, told from any other, and called."""
