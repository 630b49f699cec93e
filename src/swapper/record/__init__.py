"""What happened: token counts, captures, the activity log."""
