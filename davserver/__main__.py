"""`python -m davserver`."""

from davserver.cli.main import main

main()
