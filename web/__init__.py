"""The page: one process that shows sweeps in a browser and changes them. It reads Redis; it keeps nothing itself."""
