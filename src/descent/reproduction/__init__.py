"""What made a run, kept so that it can be made again, and the run made again from it."""
