"""Steps around steps. They know nothing of each other; a step is wrapped, or not, when it is made."""
