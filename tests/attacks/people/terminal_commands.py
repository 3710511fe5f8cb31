# Prints commands to a terminal: titles, clearing, links, colours without end, a cursor that overwrites what was told.
# earns 16; told: softmax: .*your code raised
# %%
print("\x1b]0;evil\x07\x1b[2J\x1b[H\x1b]8;;http://evil.test\x1b\\click\x1b]8;;\x1b\\\x1b[31mred\x1b[0m\x9b2J\x90q\x07\x08\x08\x7f")
print("failed\rpassed", "\u202e0.6", "a\u2028b")
# %% solution="softmax"
def softmax(x, axis=-1):
    raise type("E\x1b[2J\u202e", (Exception,), {})("\x1b[2J\x1b]0;evil\x07\rpassed\n\u202e6 of 6")
