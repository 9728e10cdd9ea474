"""Images: bytes to RGB, RGB to pixels of the network's size."""
