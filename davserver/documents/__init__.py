"""The verbs on documents, without HTTP: what is kept, how, and in which transaction."""
