"""The sample application's commands: real work on real input, run in the background."""
