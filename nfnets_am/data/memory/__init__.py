"""Small sets that are kept in memory, as they are."""
