"""Where jobs live. ``protocol.py`` says what a store promises; each other module is a store that keeps it."""
