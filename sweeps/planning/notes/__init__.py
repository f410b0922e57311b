"""Note what a plan's reader should know before it runs: what the data, the model and the file leave unanswered."""
