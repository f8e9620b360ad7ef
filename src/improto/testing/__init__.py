"""Tools for testing programs that speak the protocol: links, clocks, strategies.

The only part of the core that may use chance, and then only a seeded
``random.Random``.
"""
