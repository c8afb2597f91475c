"""The whole chain from a checkpoint, and the page that shows what it made."""
