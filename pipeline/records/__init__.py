"""What a command returns, and what of it is kept."""
