"""Running text for language models, and pairs of sentences for translation."""
