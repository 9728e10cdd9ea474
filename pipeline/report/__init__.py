"""Records as text and as pages."""
