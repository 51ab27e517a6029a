"""What this host remembers: journal, store, gate, lease."""
