"""One module per family of routes; ``app.py`` has the table."""
