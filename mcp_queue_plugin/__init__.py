"""Durable, fast, process-isolated background jobs for servers built on mcp-proxy-adapter."""
