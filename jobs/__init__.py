"""The sample application's custom jobs."""
