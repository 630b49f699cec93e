"""Regular expressions in RE2 syntax, searched in linear time.

The file format promises RE2 (config.md 8.7), and the texts that are searched come from
clients. Python's ``re`` differs in syntax and can take exponential time, so
patterns are parsed (``syntax``), made of sets of characters (``chars``) and run as an
automaton (``pattern``). All of it is pure.
"""

from swapper.config.re2.pattern import Pattern

__all__ = ["Pattern"]
