"""Screening of battery electrolytes by density functional theory and molecular dynamics."""

__version__ = "0.1.0"
