"""What the documentation uses: a matrix for ``frostline bench``, a network of one's own."""
