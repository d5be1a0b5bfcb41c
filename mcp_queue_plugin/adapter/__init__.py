"""Where the queue meets mcp-proxy-adapter: the manager, jobs and commands inside a worker, the adapter's internals."""
