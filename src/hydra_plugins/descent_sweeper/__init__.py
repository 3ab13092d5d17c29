"""Descent's multirun for Hydra. The class stands in sweeper.py, where Hydra looks for it."""
