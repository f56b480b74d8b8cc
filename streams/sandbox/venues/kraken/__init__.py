"""A venue in the dialect of Kraken's spot API."""
