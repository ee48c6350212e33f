"""The engine: runs one execution of a program on a machine under a scheduler, step by step."""
