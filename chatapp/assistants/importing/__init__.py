"""Import of conversations from other chat programs.

An import queues no answers. Importing the same file again adds nothing: the client id of each message is derived from
the content and the position of its row.
"""
