"""The autograder and the release builder."""

import sys

# jsonschema would build a parser for international web addresses whenever nbformat is imported; no notebook
# needs it, and it takes half of the time that a command takes to start.
sys.modules.setdefault("rfc3987_syntax", None)
