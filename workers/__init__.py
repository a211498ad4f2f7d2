"""Programs of worker processes, which compute on people's text beside the server.

They import nothing of chatapp, so that they start fast and need little memory.
`chatapp/concurrency/worker_processes.py` starts them, and kills one that takes too long.
"""
