"""Studies that fit several models to the same rows: which model to use, and how many dimensions its code needs."""
