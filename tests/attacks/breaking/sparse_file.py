# Makes a file that claims to be a terabyte long.
# earns 22; told: nothing
# %%
try:
    with open("/tmp/left_behind", "wb") as file:
        file.truncate(1 << 40)
except OSError as error:
    print(error.strerror)
