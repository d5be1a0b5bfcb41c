"""The client of the sample application: starts its server, runs one real job and shows it live."""
