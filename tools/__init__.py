"""Programs for people who work on improto; nothing here is installed."""
