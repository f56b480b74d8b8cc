"""Access: the control socket, its methods, and the command line."""
