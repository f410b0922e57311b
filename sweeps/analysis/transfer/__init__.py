"""What training on one thing does for another: gains, what they are worth in data, and what was forgotten."""
