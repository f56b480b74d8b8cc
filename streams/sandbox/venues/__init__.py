"""Two trading venues on loopback, in the REST dialects of real ones, over one seeded market."""
