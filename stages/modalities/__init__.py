"""What a sample is: one room for each modality."""
