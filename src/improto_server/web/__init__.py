"""The web port: plain HTTP for browsers and application servers, beside the gateway.

An ASGI application under hypercorn, in the same process and on the same event loop.
"""
