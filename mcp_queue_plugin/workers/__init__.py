"""Worker processes: the frames they speak, the loop they run, and the pool that keeps them warm."""
