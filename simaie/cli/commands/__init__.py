"""The commands with their options and help, by what they are for."""
