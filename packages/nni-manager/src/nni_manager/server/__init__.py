"""The manager's process: its port, its tokens, its log, its beginning and its end."""
