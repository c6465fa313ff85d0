"""The one error a user sees as a single line: what was wrong, and what would be right."""


class UserError(Exception):
    """Bad input or a world that does not allow the request; the command ends with exit code 2 and no traceback."""
