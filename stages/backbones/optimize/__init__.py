"""What makes a network faster and relies on operations that torch does not promise to keep."""
