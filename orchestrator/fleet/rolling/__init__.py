"""Rollouts in stages: what is changed when, by what it is judged, and what is kept on disk of it."""
