"""Extract: a backbone over one split, once, shard by shard."""
