"""What a check may say of an answer, besides a score."""

NOT_APPLICABLE = "not applicable"  # the answer is outside what the check is about
