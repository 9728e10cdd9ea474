"""A fitted head and its backbone: used on new samples, or written as one file."""
