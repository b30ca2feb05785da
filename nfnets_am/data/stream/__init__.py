"""Sets of encoded images, streamed from shards and decoded once a visit."""
