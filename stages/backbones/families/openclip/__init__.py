"""What the ``open_clip:`` family is made of: where models lie, their image towers, how they are loaded."""
