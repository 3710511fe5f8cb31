"""A class with JupyterHub, as `make hub` sets one up: from release to feedback, each as an account of their own.

ada is right, boris normalises over the wrong axis, chloe forges a verdict and tries all that her account can do.
Makes accounts, test-…, and removes them.
"""

import os
import pwd
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from textwrap import dedent

import nbformat
import pytest

from deploy import one_machine
from deploy.one_machine import ENVIRONMENT, Classroom
from grader.lessons import read_lesson
from tests.attacks.harness import attacks
from tests.browser.conftest import LAPTOP, SCREENSHOTS, Lab, Notebook
from tests.browser.test_learner import WRONG

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(os.getuid() != 0, reason="accounts can only be made by root"),
]
ADA, BORIS, CHLOE = STUDENTS = ("test-ada", "test-boris", "test-chloe")
ROOM = Classroom(Path("/srv/transformer-class-test"), "test-instructor", STUDENTS)
LESSON = "01_self_attention"
PASSWORD = "for-the-test-alone"
COMMENT = "Well done, Ada: look at row 3 again."
SECONDS = 90
# What a student's own processes may reach: the name of an attempt, and code that prints what it got.
ATTEMPTS = {
    "list the course": "print(os.listdir(course))",
    "read the gradebook": "print(len(open(course + '/gradebook.db', 'rb').read()))",
    "write into the gradebook": "sqlite3.connect(course + '/gradebook.db').execute('update grade set manual_score = 6')",
    "read the solutions": f"print(open(course + '/solutions/{LESSON}.py').read())",
    "read the staged tests": f"print(open(course + '/build/source/{LESSON}/{LESSON}.ipynb').read())",
    "read what was collected": f"print(open(course + '/submitted/{ADA}/{LESSON}/{LESSON}.ipynb').read())",
    "import the grader": "import grader.exercises; print(grader.exercises)",
    "list another's home": "print(os.listdir(home(other)))",
    "read another's notebook": f"print(open(home(other) + '/{LESSON}/{LESSON}.ipynb').read())",
    "read another's runtime": "print(os.listdir(home(other) + '/.local/share/jupyter/runtime'))",
    "list what was handed in": "print(os.listdir(exchange + '/inbound'))",
    "read another's submission": "print(open(theirs + '/01_self_attention.ipynb').read() if theirs in seen() else denied())",
    "rename another's submission": "os.rename(theirs, theirs + '-late')",
    "remove another's submission": "os.rename(theirs, '/tmp/gone')",
    "list the feedback": "print([name for name in os.listdir(exchange + '/feedback')])",
    "change a lesson for all": f"open(exchange + '/outbound/{LESSON}/{LESSON}.ipynb', 'a').write('mine')",
    "hand out a lesson": "os.mkdir(exchange + '/outbound/mine')",
    "write feedback": "open(exchange + '/feedback/mine.html', 'w')",
    "move the course away": "os.rename(exchange, exchange + '-gone')",
    "become an instructor": "open(room + '/instructors.txt', 'a').write(me)",
    "change everybody's settings": "open(room + '/student/nbgrader_config.py', 'a').write('mine')",
    "read the hub's secrets": "print(os.listdir(room + '/state'))",
    "change what all run": "open(utils.__file__, 'a').write('mine')",
    "plant a start-up file": "open(sys.prefix + '/lib/mine.pth', 'w')",
    "read the instructor's memory": "print(open(f'/proc/{server_of(instructor)}/environ').read())",
    "stop the instructor's server": "os.kill(server_of(instructor), 9)",
    "ask the hub who there is": "print(ask('/hub/api/users'))",
    "ask the hub about the instructor": "print(ask('/hub/api/users/' + instructor))",
    "ask for a token of the instructor's": "print(ask(f'/hub/api/users/{instructor}/tokens', b'{}'))",
    "stop another's server": "print(ask(f'/hub/api/users/{other}/server', method='DELETE'))",
    "list another's files by their server": "print(ask(f'/user/{other}/api/contents/'))",
    "open formgrader of the instructor's server": "print(ask(f'/user/{instructor}/formgrader/api/assignments'))",
}  # fmt: skip
REFUSALS = (
    "PermissionError",
    "urllib.error.HTTPError: HTTP Error 403",
    "urllib.error.HTTPError: HTTP Error 404",
    "ModuleNotFoundError: No module named 'grader'",
    "sqlite3.OperationalError: unable to open database file",
)
MADE = """
import os, pwd, sqlite3, sys, urllib.request
import utils
me, instructor, other, course, room, exchange, theirs, url, token = {facts!r}
home = lambda name: "/home/" + name
def denied(): raise PermissionError
def seen(): return [os.path.join(exchange, "inbound", name) for name in os.listdir(exchange + "/inbound")]
def server_of(name):
    uid = pwd.getpwnam(name).pw_uid
    theirs = [p for p in os.listdir("/proc") if p.isdigit() and os.stat("/proc/" + p).st_uid == uid]
    return next(int(p) for p in theirs if "singleuser" in open(f"/proc/{{p}}/cmdline").read())
def ask(path, data=None, method=None):
    request = urllib.request.Request(url + path, data, {{"Authorization": "token " + token}}, method=method)
    answer = urllib.request.urlopen(request)
    return answer.geturl(), answer.read()
{attempt}
"""


@pytest.fixture(scope="module")
def hub(staged):
    """The address of a hub that runs, its class made for this test alone."""
    one_machine.remove(ROOM)
    one_machine.set_up(ROOM, staged)
    ports = [free_port() for _ in range(3)]
    options = (
        f"--JupyterHub.bind_url=http://127.0.0.1:{ports[0]}",
        f"--JupyterHub.hub_port={ports[1]}",
        f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{ports[2]}",
        '--Spawner.args=["--LabApp.expose_app_in_browser=True"]',
        "--log-level=WARN",
    )
    running = one_machine.hub(ROOM, PASSWORD, *options)
    url = f"http://127.0.0.1:{ports[0]}"
    try:
        wait_until(lambda: urllib.request.urlopen(f"{url}/hub/health").status == 200)
        yield url
    finally:
        running.terminate()
        running.wait(timeout=30)
        one_machine.remove(ROOM)
    assert left() == [], "a class that is removed leaves nothing"


def left():
    """What there is of the class: its folder, its accounts, their homes."""
    accounts = [account.pw_name for account in pwd.getpwall() if account.pw_name in ROOM.people]
    return accounts + [str(path) for path in (ROOM.folder, *(Path("/home", name) for name in ROOM.people)) if path.exists()]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(is_so):
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            if is_so():
                return
        except OSError:
            pass
        time.sleep(0.3)
    raise TimeoutError(f"not so after {SECONDS} s: {is_so}")


class Person:
    """Somebody's browser, logged in."""

    def __init__(self, chromium, hub, name):
        self.name, self.url = name, f"{hub}/user/{name}"
        self.page = chromium.new_context(viewport=LAPTOP).new_page()
        self.page.goto(f"{hub}/hub/login")
        self.page.fill("#username_input", name)
        self.page.fill("#password_input", PASSWORD)
        self.page.click("#login_submit")
        self.page.locator("#jp-main-dock-panel").wait_for(timeout=SECONDS * 1000)

    def status(self, address):
        """What a server answers to opening an address."""
        return self.page.goto(address).status

    def screenshot(self, name):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"class_{name}.png")


class Student(Person):
    def list_assignments(self):
        """Opens the list, anew."""
        self.page.goto(f"{self.url}/lab/workspaces/list?reset")
        self.page.get_by_role("menuitem", name="Nbgrader").click()
        self.page.locator(".lm-Menu-itemLabel", has_text="Assignment List").click()

    def press(self, which, button):
        """Presses a lesson's button in one of the three lists: released, fetched, submitted."""
        row = self.page.locator(f"#{which}_assignments_list > .list_item", has_text=LESSON)
        row.get_by_role("button", name=button, exact=True).click()

    def complete(self, answers):
        notebook = Notebook(self.page, Lab(self.url, "", Path()), f"{LESSON}/{LESSON}.ipynb")
        for name, answer in answers.items():
            notebook.type(notebook.cell(f"def {name}("), answer)
        notebook.run_all()
        notebook.command("docmanager:save")
        self.page.locator(".jp-Notebook").wait_for()
        self.screenshot(f"completed_{self.name}")

    def submit(self):
        self.list_assignments()
        self.press("fetched", "Submit")
        self.page.locator("#submitted_assignments_list > .list_item", has_text=LESSON).wait_for()

    def run(self, attempt, facts):
        """Runs code with the class's Python in a process of this account, as in a terminal of theirs."""
        account = pwd.getpwnam(self.name)
        return subprocess.run(
            [ENVIRONMENT / "bin" / "python", "-c", MADE.format(facts=facts, attempt=attempt)],
            user=account.pw_uid, group=account.pw_gid, extra_groups=[], cwd=account.pw_dir,
            env={"HOME": account.pw_dir, "PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=60,
        )  # fmt: skip


class Instructor(Person):
    def open_assignments(self):
        self.page.goto(f"{self.url}/formgrader/manage_assignments")
        return self.page.locator("tr", has=self.page.locator("td.name", has_text=LESSON))

    def open_submissions(self):
        self.page.goto(f"{self.url}/formgrader/manage_submissions/{LESSON}")

    def submission_of(self, student):
        return self.page.locator("tr", has=self.page.locator("td.student-id", has_text=student))

    def press(self, row, button):
        """Presses a button in a row of formgrader, and waits for it to succeed; returns what it says."""
        row.locator(f"td.{button} a").click()
        said = self.page.locator("#success-modal.in, #error-modal.in")
        said.wait_for(timeout=SECONDS * 1000)
        text = said.inner_text()
        assert said.get_attribute("id") == "success-modal", text
        said.get_by_text("OK", exact=True).click()
        self.page.locator(".modal-backdrop").wait_for(state="hidden")
        return text


def answers():
    """Each student's answers, by exercise."""
    right = read_lesson(LESSON).solutions
    forged = next(attack for attack in attacks() if attack.name == "verdict_for_a_result")
    forged.put(folder := ROOM.folder / "forged")
    cells = nbformat.read(folder / f"{LESSON}.ipynb", as_version=4).cells
    hostile = {cell.metadata["nbgrader"]["grade_id"]: cell.source for cell in cells if cell.metadata.get("nbgrader", {}).get("solution")}
    shutil.rmtree(folder)
    return {ADA: right, BORIS: right | {"softmax": WRONG}, CHLOE: hostile}


@pytest.fixture(scope="module")
def class_at_work(hub, chromium):
    """The class with the lesson released, fetched, completed and handed in."""
    instructor = Instructor(chromium, hub, ROOM.instructor)
    row = instructor.open_assignments()
    instructor.press(row, "assign")
    instructor.press(row, "release")
    students = {}
    for name, theirs in answers().items():
        students[name] = student = Student(chromium, hub, name)
        student.list_assignments()
        student.press("released", "Fetch")
        student.page.locator("#fetched_assignments_list > .list_item", has_text=LESSON).wait_for()
        student.screenshot(f"fetched_{name}")
        student.complete(theirs)
        student.submit()
    return instructor, students


def submissions():
    return {path.name.split("+")[0]: path for path in (ROOM.exchange / "transformer" / "inbound").iterdir()}


@pytest.fixture(scope="module")
def forged_submission(class_at_work):
    """chloe hands in for ada, an empty notebook with a later time."""
    _, students = class_at_work
    inbound = ROOM.exchange / "transformer" / "inbound"
    name = f"{ADA}+{LESSON}+2999-01-01 00:00:00.000000 UTC+mine"
    code = f"""
        import shutil
        shutil.copytree(home(me) + "/{LESSON}", "{inbound / name}")
        open("{inbound / name}/timestamp.txt", "w").write("2999-01-01 00:00:00.000000 UTC")
        open("{inbound / name}/submission_secret.txt", "w").write("0" * 128)
    """
    done = students[CHLOE].run(dedent(code), facts_for(students[CHLOE], "", ""))
    assert done.returncode == 0, done.stderr
    return inbound / name


def facts_for(student, hub, token):
    theirs = submissions()[BORIS]
    return (
        student.name, ROOM.instructor, BORIS, str(ROOM.course), str(ROOM.folder),
        str(ROOM.exchange / "transformer"), str(theirs), hub, token,
    )  # fmt: skip


@pytest.fixture(scope="module")
def graded(class_at_work, forged_submission):
    """Collected, autograded by formgrader's button, with a comment, and the feedback released."""
    instructor, students = class_at_work
    row = instructor.open_assignments()
    said = instructor.press(row, "collect")
    instructor.open_submissions()
    for name in STUDENTS:
        instructor.press(instructor.submission_of(name), "autograde")
    instructor.screenshot("autograded")
    comment(instructor)
    row = instructor.open_assignments()
    instructor.press(row, "generate-feedback")
    instructor.press(row, "release-feedback")
    return instructor, students, said


def comment(instructor):
    """Writes a comment on ada's first answer, by hand."""
    instructor.open_submissions()
    instructor.submission_of(ADA).locator("td.student-name a").click()
    page = instructor.page
    page.locator("td.name a", has_text=LESSON).click()
    box = page.locator("textarea.comment").first
    box.fill(COMMENT)
    box.blur()
    page.locator("#comment-saved, .glyphicon-ok").first.wait_for(state="attached")
    page.wait_for_load_state("networkidle")
    instructor.screenshot("comment")


def test_each_gets_the_grade_and_the_feedback_that_is_theirs(graded):
    instructor, students, _ = graded
    instructor.open_submissions()
    scores = {name: instructor.submission_of(name).locator("td.score").inner_text() for name in STUDENTS}
    assert scores == {ADA: "22 / 22", BORIS: "16 / 22", CHLOE: "16 / 22"}
    shown = {name: instructor.submission_of(name).locator("td.student-name").inner_text() for name in STUDENTS}
    assert shown == {name: f"Student, {name.title()}" for name in STUDENTS}
    for name in STUDENTS:
        notebook = nbformat.read(ROOM.course / "autograded" / name / LESSON / f"{LESSON}.ipynb", as_version=4)
        assert "seed" in notebook.metadata["grader"], "it was our executor that graded"

    pages = {}
    for name, student in students.items():
        student.list_assignments()
        student.press("submitted", "Fetch Feedback")
        student.page.get_by_text("(view feedback)").wait_for()
        found = list(Path(pwd.getpwnam(name).pw_dir).glob(f"{LESSON}/feedback/*/*.html"))
        assert len(found) == 1
        pages[name] = found[0].read_text(encoding="utf-8")
        student.screenshot(f"feedback_{name}")
    assert [name for name in STUDENTS if COMMENT in pages[name]] == [ADA]
    assert "Softmax over axis 0" in pages[BORIS] and "Softmax over axis 0" not in pages[ADA]
    assert "got a dict" in pages[CHLOE]


def test_nobody_hands_in_for_another(graded, forged_submission):
    _, _, said = graded
    assert forged_submission.name in said
    assert "2999" not in (ROOM.course / "submitted" / ADA / LESSON / "timestamp.txt").read_text()


def test_students_have_no_formgrader_and_no_way_to_others_servers(graded, hub):
    _, students, _ = graded
    chloe = students[CHLOE]
    assert chloe.status(f"{chloe.url}/formgrader") == 404
    assert chloe.status(f"{hub}/user/{ROOM.instructor}/formgrader") == 403
    assert chloe.status(f"{hub}/user/{ROOM.instructor}/lab") == 403
    assert chloe.status(f"{hub}/user/{BORIS}/lab/tree/{LESSON}/{LESSON}.ipynb") == 403
    assert chloe.status(f"{hub}/hub/admin") == 403
    chloe.screenshot("denied")


@pytest.fixture(scope="module")
def token(graded):
    """The token of chloe's own server, which any process of hers can read."""
    _, students, _ = graded
    code = """
        environment = open(f"/proc/{server_of(me)}/environ").read().split(chr(0))
        print(next(line.split("=")[1] for line in environment if line.startswith("JUPYTERHUB_API_TOKEN=")))
    """
    done = students[CHLOE].run(dedent(code), facts_for(students[CHLOE], "", ""))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_what_a_students_own_processes_may_not(attempt, graded, hub, token):
    _, students, _ = graded
    done = students[CHLOE].run(ATTEMPTS[attempt], facts_for(students[CHLOE], hub, token))
    assert done.returncode != 0, done.stdout
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(REFUSALS), last


def test_what_a_students_own_processes_may(graded, hub, token):
    """The attempts fail because of whom they are made upon."""
    _, students, _ = graded
    chloe = students[CHLOE]
    facts = facts_for(chloe, hub, token)
    for attempt in (
        "print(os.listdir(home(me)))",
        f"print(open(exchange + '/outbound/{LESSON}/{LESSON}.ipynb').read())",
        "print(ask(f'/user/{me}/api/contents/'))",
        "print(open(f'/proc/{server_of(me)}/environ').read())",
    ):
        done = chloe.run(attempt, facts)
        assert done.returncode == 0 and done.stdout, done.stderr
