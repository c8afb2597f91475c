"""The whole pipeline from a checkpoint, and the page that shows what it made."""
