# Has a null character and half a surrogate pair in a cell.
# earns 22; told: nothing
# %%
text = "\ud800"
print(text)
