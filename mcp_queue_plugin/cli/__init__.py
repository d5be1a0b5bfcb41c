"""The ``mcp-queue`` command line."""
