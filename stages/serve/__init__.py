"""A fitted head in use: predictions for new samples, and one file for other programs."""
