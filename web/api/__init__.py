"""The API under `/api/v1`: what the command line prints as JSON, for programs that have a token."""
