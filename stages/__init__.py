"""What Frostline does: nouns, and one verb per stage over explicit objects."""
