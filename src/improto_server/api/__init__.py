"""The REST API for the application's own server, as the official server SDKs use it (rest).

One table of endpoints (:mod:`.endpoints`) says everything about them: the router, the description
in OpenAPI and the list in the manual are made of it. What an endpoint does is a service's business;
here it is only said which service, and how its answer is written.
"""
