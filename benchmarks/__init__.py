"""Measurements of swapper; each module is a program, ``python -m benchmarks.NAME``.

Whatever is compared runs alternately in one run; compare numbers of one run only.
"""
