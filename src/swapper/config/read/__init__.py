"""Stages 1 to 4: files to one document, every value with its line."""
