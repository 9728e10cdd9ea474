"""Objects in buckets and behind addresses: found, and read by ranges, through obstore."""
