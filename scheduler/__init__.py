"""The truth: what is wanted, what runs, what it cost. The only package that opens Redis."""
