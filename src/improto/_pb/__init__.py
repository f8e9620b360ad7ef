"""Compiled payload schema. Import :mod:`improto.payloads` instead."""
