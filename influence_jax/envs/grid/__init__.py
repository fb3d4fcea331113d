"""The parts that grid games are made of: maps, movement, beams and views, over kernels with a form for each platform."""
