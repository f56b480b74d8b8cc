"""Disturbs a whole daemon at random for as long as one likes, while customers pay, and says what came of it."""
