"""How the tokens of a text become one vector where a model has no way of its own."""

POOLER = "pooler"
POOLS = {"mean": ("mean",), "cls": ("cls",), "last": ("lasttoken",), POOLER: (POOLER,)}
"""By the words of ``--pool``: the mean of the tokens, the first, the last, or the model's own pooled output."""
