"""What makes the generated parts of the documentation: reference pages, from simaie itself, and pictures."""
