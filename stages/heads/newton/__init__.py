"""Penalised linear heads for all values of C at once, by Newton steps."""
