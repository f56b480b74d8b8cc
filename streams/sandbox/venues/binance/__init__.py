"""A venue in the dialect of Binance's spot API."""
