"""For whoever runs the server: what goes on, and a hand on it.

Calls of JSON below ``/admin`` of the web port, a page in a browser and ``improto admin`` on the
command line, which make these calls. There is one token, and who has it may do all of it.
"""
