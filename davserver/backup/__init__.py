"""Backups: one consistent copy of everything, taken while the server works, and the way back."""
