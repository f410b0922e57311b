"""The report of a sweep: a value made from what is known of it, and its forms as HTML and Markdown. Pure."""
