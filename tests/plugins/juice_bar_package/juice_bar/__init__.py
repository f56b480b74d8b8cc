"""Streams from outside the project whose settings make them better or worse."""
