"""Datasets on the disk: what is known now, and the versions that are sold."""
