"""JupyterHub for a class: instructors have formgrader and the course, students hand in and fetch.

What keeps students out is who owns which file, not what is switched off here: see README.md beside this file.
"""

import os
import sys
from pathlib import Path

c = get_config()  # noqa: F821

CLASS = Path(__file__).resolve().parent
PROGRAMS = Path(sys.executable).parent  # of the environment that the hub and all servers run in


def names(file):
    """A system account a line."""
    return set((CLASS / file).read_text(encoding="utf-8").split())


INSTRUCTORS, STUDENTS = names("instructors.txt"), names("students.txt")

# Behind a web server that speaks https; never open to the net as it is.
c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.ConfigurableHTTPProxy.command = [str(PROGRAMS.parent / "proxy/node_modules/.bin/configurable-http-proxy")]

# Who is who is told by the host's own accounts (PAM), unless one password serves for all, to try it out.
c.Authenticator.allowed_users = INSTRUCTORS | STUDENTS
c.Authenticator.admin_users = set()  # nobody may enter another's server
if password := os.environ.get("CLASS_PASSWORD"):
    c.JupyterHub.authenticator_class = "shared-password"
    c.SharedPasswordAuthenticator.user_password = password

# Each server runs as the account of who uses it.
c.JupyterHub.spawner_class = "jupyterhub.spawner.LocalProcessSpawner"
c.Spawner.cmd = [str(PROGRAMS / "jupyterhub-singleuser")]
c.Spawner.default_url = "/lab"
c.Spawner.env_keep = ["LANG", "LC_ALL"]


def settle(spawner):
    """What a server finds: the environment's programs, and the settings of its user's role."""
    is_instructor = spawner.user.name in INSTRUCTORS
    spawner.environment = {
        "PATH": f"{PROGRAMS}:/usr/local/bin:/usr/bin:/bin",
        "JUPYTER_CONFIG_PATH": str(CLASS / ("instructor" if is_instructor else "student")),
    }
    if is_instructor:
        course = os.path.expanduser(f"~{spawner.user.name}/transformer")
        spawner.environment["PYTHONPATH"] = course  # where `grader` is
        spawner.notebook_dir = course


c.Spawner.pre_spawn_hook = settle
