"""Single steps that commands are made of: features, heads, learning curves."""
