"""Generators of documentation: reference pages from the code of simaie, and pictures."""
