"""What may be wrong with a daemon and the machine under it, and what to do; works whether the daemon runs or not."""
