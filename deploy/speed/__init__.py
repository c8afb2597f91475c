"""What files and networks cost on this machine."""
