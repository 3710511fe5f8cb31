"""The one exception for a person's mistake: the command line shows its sentence, never a traceback."""


class GraderError(Exception):
    """Something a person can put right; the message says what was expected, what came, what to do."""
