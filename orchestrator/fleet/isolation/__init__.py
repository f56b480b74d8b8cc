"""Instances in processes of their own: the same messages, supervision, health and bookings, over a socket pair.

daemon                                        warden (one process)                child (one for each instance)
  ProcessInstance ── Keeper ── starts, ends ──▶ forks, limits, counts, kills ──▶ the ordinary Instance, on its own loop
        ▲                                                                              │
        └───────────────── channel: frames of msgpack, bounded in size and rate ───────┘
"""
