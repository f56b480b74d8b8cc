"""The daemon and its four wings."""
