"""Measurements, as ratios to something plain that is measured in the same run."""
