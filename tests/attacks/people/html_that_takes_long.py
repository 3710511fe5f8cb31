# Shows HTML that takes who reads it, or makes it harmless, quadratic time and memory.
# earns 22; told: nothing
# %%
from IPython.display import HTML

for html in (
    "<p>" + "".join(f"<b id={number}>" for number in range(4000)) + "<p>" * 4000, "<div>" * 9000, "<" * 45000,
    "<a href='" * 5000, "<!--" * 10000, "<table><td>" * 4000, "&" * 45000, "</p>" * 10000, "<b " + "a=b " * 10000,
):
    display(HTML(html[:45_000]))
    display({"text/markdown": html[:45_000]}, raw=True)
