"""The ONE place that knows the adapter's internals: ``server.py`` in a server, ``worker.py`` in a worker."""
