"""One run: the step, its gradient, the loop, starts and restarts."""
