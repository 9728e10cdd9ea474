"""Datasets that are objects of Python: arrays, frames, lists, and datasets of torch and of Hugging Face."""
