"""The two widths of all figures, in inches: one and two columns of a paper, where 8.5 points stay 8.5 points."""

SINGLE, DOUBLE, DPI = 90 / 25.4, 180 / 25.4, 300
