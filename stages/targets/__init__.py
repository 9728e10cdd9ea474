"""What is predicted: one label of a sample, and with it how rows are split, values chosen and heads ranked."""
