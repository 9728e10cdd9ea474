"""What is found out by trial: a precision whose features agree, a batch size that is fast."""
