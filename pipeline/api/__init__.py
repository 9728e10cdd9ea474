"""What ``import frostline`` gives: the commands as functions of keywords, and what they take and return."""
