"""Attempts at stages, at Tinker or at its offline stand-in."""
