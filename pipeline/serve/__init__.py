"""A fitted head and its backbone: used on new images, or written as one file."""
