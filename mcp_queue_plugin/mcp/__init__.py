"""The MCP endpoint: every command a tool, every long one a task."""
