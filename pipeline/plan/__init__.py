"""What a command needs, what of it is cached, and what is missing."""
