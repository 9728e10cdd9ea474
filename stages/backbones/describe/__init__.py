"""What a network says of itself: how many parameters its features need, its own classifier."""
