"""What a request meets, in order: its log line, its address, its body's bounds, who sends it,
and the application that it is for. What any of them raises becomes a reply here."""
