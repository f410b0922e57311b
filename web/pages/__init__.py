"""One module for each page: what it reads, and its routes."""
