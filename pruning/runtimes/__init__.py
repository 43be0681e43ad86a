"""What a network can compute with on this machine's CPU, one runtime a module, and all of them timed side by side."""
