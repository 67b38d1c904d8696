"""Training of models: the loop, schedules, checkpoints, and a diagnosis of problems."""
