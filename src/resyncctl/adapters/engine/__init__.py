"""Where a trading engine's beliefs are read."""
