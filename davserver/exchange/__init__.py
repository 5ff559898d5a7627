"""A space as plain files that any program reads, and back."""
