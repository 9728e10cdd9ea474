"""The stages in order, doing what is missing."""
