"""Graphs made ready to be converted: functions spelled out, guards joined with what they guard."""
