"""Compare the strata of held-out items, such as devices or sites, with each other."""
