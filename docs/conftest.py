"""pytest runs the examples of these pages; notebooks and what the site is built with run in `make docs`."""

collect_ignore = ["conf.py", "_ext", "generated"]
