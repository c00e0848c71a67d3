"""Arrays and graphs to pictures; nothing here knows models or widgets."""
