# Prints without end.
# earns 22; told: a cell took longer than 1.5 s
# %%
while True:
    print("x" * 1000)
