"""Content: articles as a site with feeds, sponsor slots on signed contracts, and articles for members."""
