"""timm's models: their folders, names, weights and layers, for the family in ``timm.py``."""
