"""Replaying: what a failure is saved as, how it is loaded, and how it is followed step by step."""
