"""The shared exchange client: one ccxt class, guarded below and above."""
