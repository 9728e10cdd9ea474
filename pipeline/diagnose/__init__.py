"""Which backbone suits the data, and what is wrong with the data."""
