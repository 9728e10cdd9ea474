"""Where the shards of a feature set lie: in a folder, or in a bucket."""
