"""The guest's side: programs, the instruction sets they are written for, and the corpus of named programs."""
