"""A stand-in for Tinker: its wire protocol over real HTTP, with a small real model behind it."""
