"""Explorations in several processes."""
