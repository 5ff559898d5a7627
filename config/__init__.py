"""What everything else is given: settings, the open database, languages, the root of errors."""
