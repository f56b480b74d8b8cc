"""Harvests feeds, sitemaps and pages politely, and sells what may be sold as versioned datasets."""
