"""The parts that grid games are made of: maps, movement, beams and views, on top of kernels for each platform."""
