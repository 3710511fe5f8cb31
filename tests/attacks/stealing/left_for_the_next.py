# Leaves the answers where the next submission of the same worker might look.
# earns 22; told: nothing
# %%
import os
import pathlib
import sys
import tempfile

for folder in ("/tmp", "/dev/shm", "/var/tmp", os.path.expanduser("~"), "/course", sys.prefix, "/usr", tempfile.gettempdir()):
    try:
        pathlib.Path(folder, "left_behind_answers").write_text("answers")
        os.makedirs(f"{folder}/left_behind/a/b")
        os.chmod(f"{folder}/left_behind/a", 0)
    except OSError:
        pass
for top in ("/tmp", "/dev/shm"):
    try:
        os.setxattr(top, "user.note", b"answers")
    except OSError:
        pass
