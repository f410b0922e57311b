"""The context: attempts at stages, on Tinker or on what stands in for it."""
