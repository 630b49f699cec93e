"""The parts of examples/fake_model.py; only the standard library."""
