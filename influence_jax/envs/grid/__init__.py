"""The building blocks of games on a grid: maps, movement, beams and views, on top of kernels for each platform."""
