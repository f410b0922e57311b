"""A stand-in for Tinker: its wire protocol over real HTTP, and a small real model behind it."""
