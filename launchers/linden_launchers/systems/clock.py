"""Durations as batch systems write them.  Pure."""

from __future__ import annotations


def hours_minutes_seconds(seconds: int) -> str:
    """ "26:03:07"."""
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def hours_minutes(seconds: int) -> str:
    """ "26:04": LSF knows no seconds, so it is rounded up."""
    minutes = -(-seconds // 60)
    return f"{minutes // 60:02}:{minutes % 60:02}"
