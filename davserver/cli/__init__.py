"""The command line: one file a command, or a group of commands on one thing."""
