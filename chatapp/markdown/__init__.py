"""Markdown as HTML, in the server's process if that is quick, otherwise in a worker process.

The worker process imports this package, and so it imports little of the rest of chatapp.
"""
