"""What Prometheus is told: collected on the loop at a bounded cost, rendered in a thread."""
