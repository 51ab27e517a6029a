"""The WebSocket side of the practice exchange: market data and private streams in two dialects."""
