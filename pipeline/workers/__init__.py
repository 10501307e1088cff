"""Worker processes: the only place where stages meet. Each module's `run` is one worker."""
