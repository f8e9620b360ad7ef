"""Callbacks to the application (rest 10): the tasks that wait for it.

What there is to tell and to ask, and what an answer means, is known by the services. Here it is
sent: signed, with a time-out, never by way of a proxy, and never to where an answer sends it on.
"""
