"""Training on real devices: members, files, checkpoints and the host loop."""
