"""The reference server: what a message means, who gets it, what is stored.

Layers, each using only those below it: ``cli`` and ``app`` know everything, ``gateway`` joins
one connection to one session, ``router`` finds the service function of a topic,
``services`` decide, ``store`` and ``hub`` remember. A service never sees a socket, a frame
or an HTTP request.
"""
