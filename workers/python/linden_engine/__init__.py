"""The Python engine: takes tasks of a farm, runs them, puts their results.  `space-engine` is its command.

Nothing is imported here, so that an engine starts quickly; reading order: __main__, engine, run_task.
"""
