"""Rows of Parquet and Arrow files, read a window at a time: bytes, texts, and cells of tables."""
