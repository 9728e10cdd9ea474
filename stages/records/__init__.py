"""What everything on disk rests on: sealed JSON, digests, and reading no more than a file should hold."""
