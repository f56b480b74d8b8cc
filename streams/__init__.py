"""What an instance does for a living."""
