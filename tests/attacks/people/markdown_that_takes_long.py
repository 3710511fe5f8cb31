# Shows Markdown that takes who lays it out quadratic time.
# earns 22; told: nothing
# %%
from IPython.display import Markdown

for piece in ("[", "![", "*a _b ", "> ", "`", "[a](", "<a", "- ", "$a", "\\begin{a}", "|a", "**", "~~", "[a][", "1. ", "#", "\\(", "&a;"):
    display(Markdown(piece * (2000 // len(piece))))
