"""Makes bounded, frozen data of feeds, sitemaps and pages of strangers. Pure functions; the slow ones say so."""
