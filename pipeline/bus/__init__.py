"""Events on Redis: publishing, subscribing, and an embedded server where there is none."""
