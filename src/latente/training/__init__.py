"""From a model that was composed to one that is trained: the loop, its schedules, checkpoints and the diagnosis of what went
wrong.
"""
