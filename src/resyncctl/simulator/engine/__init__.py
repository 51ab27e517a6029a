"""The demo engine: a small market maker that is recoverable through `resyncctl.sdk`.

It is a process of its own, so that it can be stopped, killed and restarted like a real one. Use it
as an example of a recoverable bot, never with real money: it quotes to be filled, not to earn.
"""
