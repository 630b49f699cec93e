"""Stage 6: the document becomes typed values; defaults and checks."""
