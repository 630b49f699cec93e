"""``swapper demo``: two small models, three commands to paste, nothing left behind."""

from swapper.demo.run import run_demo

__all__ = ["run_demo"]
