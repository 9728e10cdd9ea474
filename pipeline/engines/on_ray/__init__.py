"""The engine ``ray``: actors on the nodes of a Ray cluster, which fill shards by number."""
