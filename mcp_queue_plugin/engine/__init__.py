"""The engine: the queue's verbs over store and workers, in a process of its own.

``engine.py`` is the engine itself and knows nothing of where it runs; ``host.py`` runs it in a child process of the
server, ``client.py`` is the server's side, and ``border.py`` is what they say to each other.
"""
