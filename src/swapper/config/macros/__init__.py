"""Stage 5: ``${...}`` becomes text, every model gets its port."""
