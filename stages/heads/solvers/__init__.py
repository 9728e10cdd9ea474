"""One file for each kind of head: what fits it."""
