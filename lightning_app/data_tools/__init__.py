"""Check, shard, stylize and pseudo-label datasets."""
