"""What the ``st:`` family is made of: the list of modules of a folder, and its network."""
