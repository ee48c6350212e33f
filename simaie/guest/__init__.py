"""The guest's side: programs and the instruction sets that they are written for."""
