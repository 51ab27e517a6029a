"""What a trading engine imports to be recoverable. Standard library only."""
