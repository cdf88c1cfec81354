"""Steps around steps, which know nothing of each other: a step is wrapped, or not, when it is made."""
