"""What is made beside training: sets, pictures of views, the stages of an input."""
