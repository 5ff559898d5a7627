"""WebDAV on WsgiDAV: requests to verbs, what they return to replies. No policy, no SQL."""
