"""Simulated readers of ladders, with the numbers that the tables of docs/visibility.md were made with."""

from study.design.seeing import FLIP, LEVELS, MIDDLE, SLOPE, Grid, Readings, World, read

__all__ = ["FLIP", "LEVELS", "MIDDLE", "SLOPE", "Grid", "Readings", "World", "read"]
