"""Who computes the features that are missing."""
