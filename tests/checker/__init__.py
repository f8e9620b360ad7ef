"""The history checker: real clients, a real server, a bad day, and a judge of what was seen.

``script`` draws the faults of a round from a seed, ``round`` lets them happen, ``history`` is
what everybody wrote down, and ``rules`` says whether the promises were kept. The rules know
nothing of sockets and the round knows nothing of promises, so either can be tested alone.
"""
