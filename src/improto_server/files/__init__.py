"""Files that users send each other: who may upload and download what, and where it is kept.

The message connection hands out tickets and links only; the bytes go over plain HTTP, to the
server's own web port or to a store that speaks S3 (operations 17, http 7).
"""
