"""One module for each batch system: its scripts, its commands, and what their answers mean.  All of it is pure text."""
