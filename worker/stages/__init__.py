"""The stages of jobs: how each is cut into shards, and what one shard does."""
