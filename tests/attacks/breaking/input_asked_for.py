# Asks for input, for which nobody is there.
# earns 22; told: nothing
# %%
name = input("Who grades this? ")
