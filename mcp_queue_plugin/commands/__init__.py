"""The ``queue_*`` commands: JSON-RPC's view of the queue."""
