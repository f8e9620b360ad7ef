"""The application server: accounts, and what a person may do who is logged in.

Applications that have a server of their own do not need it. It belongs to one app, and is a part
of the web port: JSON in and out, below ``/account``. Who is whose friend and who is in which
group are the message server's own services, so there is nothing to be kept in step.
"""
