"""Buckets: addresses of objects, and requests to the servers that keep them, through obstore."""
