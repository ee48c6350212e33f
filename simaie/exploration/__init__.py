"""Explorations: many executions of one program, judged and counted."""
