"""A network cut at a layer, and its output made one vector."""
