"""A fitted model over HTTP: rows as JSON or Arrow in, codes, completions, scores and new rows out."""
