"""What a sweep with `until` runs next, round by round: a pure function of what is known, one design for each goal."""
