"""For all tests: lesson 07's run takes a few steps only."""

import os

os.environ.setdefault("COURSE_STEPS", "20")
