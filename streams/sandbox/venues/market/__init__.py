"""What assets are worth, and what a venue's makers offer for them: drawn by seed and moment."""
