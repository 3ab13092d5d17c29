"""What a finished training shows: a verdict in words, the numbers behind it, and what to try next. No torch here."""
