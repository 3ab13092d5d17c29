"""Descent: train, track and compare neural networks from one configuration."""

__version__ = "0.1.0"
