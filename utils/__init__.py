"""What the course's notebooks import: checks, carried pieces, plots."""

from utils.carry import carry
from utils.check import check

__all__ = ["carry", "check", "plots"]

