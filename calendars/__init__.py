"""CalDAV and CardDAV, on Radicale: agendas, task lists and address books."""
