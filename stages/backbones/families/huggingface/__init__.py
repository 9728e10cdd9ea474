"""What the ``hf:`` family is made of: a model's folder, its network, what it does with images."""
