"""Takes for ever to import, but in the server: as from a disk that does not answer."""

from __future__ import annotations

import sys
import time

if sys.modules["__main__"].__spec__ is not None:
    time.sleep(3600)
