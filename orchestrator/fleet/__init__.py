"""Fleet: deployment, instances, supervision of what earns."""
