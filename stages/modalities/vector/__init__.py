"""Vectors as a modality: embeddings that other tools made, row by row."""
