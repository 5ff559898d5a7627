"""Documents over WebDAV, and where documents, agendas and people meet."""
