"""From gradients to updates: optimisers, schedules, masks, averages."""
