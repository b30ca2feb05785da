"""From gradients to updates: ascents, clips, optimisers, schedules, masks, averages, penalties."""
