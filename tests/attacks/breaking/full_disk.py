# Fills every folder it can write to.
# earns 22; told: perhaps a cell took longer
# %%
for folder in ("/tmp", "/dev/shm", "."):
    written = 0
    try:
        while True:
            with open(f"{folder}/left_behind_{written}", "wb") as file:
                written += file.write(bytes(8 << 20))
    except OSError as error:
        print(error.strerror)
