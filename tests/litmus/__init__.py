"""Tests of the reader of litmus tests."""
