"""The forward pass: batches in, features out, on a CPU or a GPU."""
