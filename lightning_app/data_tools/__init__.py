"""Check, shard, stylize, pseudo-label and render data sets."""
