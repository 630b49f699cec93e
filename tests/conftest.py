"""What holds for every kind of test."""

from hypothesis import settings

# How long an example takes says nothing on a busy machine; pytest-timeout ends the rest.
settings.register_profile("swapper", deadline=None)
settings.load_profile("swapper")
