"""The pure heart: trading state, comparison, plans and safety as values. No input or output."""
