"""nbgrader's own tests with the stock executor and with ours; fails where ours pass fewer: `make test-nbgrader`."""

import re
import subprocess
import sys
from pathlib import Path

MODULES = (
    "apps.test_nbgrader_autograde preprocessors.test_saveautogrades preprocessors.test_overwritecells "
    "preprocessors.test_limitoutput"
).split()
COMMAND = [sys.executable, "-m", "pytest", "-o", "addopts=", "-q", "--disable-warnings", "-n", "2"]
WAYS = {"stock": [], "ours": ["-p", "nbgrader_plugin"]}


def main() -> int:
    counts = {}
    for way, options in WAYS.items():
        command = [*COMMAND, *options, "--pyargs", *(f"nbgrader.tests.{module}" for module in MODULES)]
        done = subprocess.run(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True)
        print(f"--- with the {way} executor" if way == "stock" else "--- with our executor", done.stdout[-3000:], sep="\n")
        counts[way] = {what: int(count) for count, what in re.findall(r"(\d+) (passed|failed|skipped|error)", done.stdout)}
    for way, count in counts.items():
        print(f"{way:>5}: {', '.join(f'{number} {what}' for what, number in count.items())}")
    ours, stock = counts["ours"], counts["stock"]
    good = ours.get("passed", 0) >= stock.get("passed", 0) > 0 and not ours.get("failed") and not ours.get("error")
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
