# Shows very many outputs, of which each is short.
# earns 22; told: nothing
# %%
for number in range(5_000):
    display(number)
