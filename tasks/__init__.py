"""One page per claim; each reads from top to bottom like its post.  `_template.py` is where a new one starts."""
