"""Words every other package shares: ids, states, errors, clock. No I/O, no threads."""
