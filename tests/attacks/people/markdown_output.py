# Shows Markdown with script, pictures from elsewhere, links that run, and formulas that reach outside.
# earns 22; told: nothing
# %%
from IPython.display import Latex, Markdown

for text in (
    "<script>window.evil = 1</script>", "![x](http://evil.test/x.png)", "!![x](http://evil.test/x.png)", "!<foo>[x](http://evil.test/x.png)",
    "![x][1]\n\n[1]: http://evil.test/x.png", "[click](javascript:window.evil=1)", "[click](data:text/html,<script>window.evil=1</script>)",
    r"$\href{javascript:window.evil=1}{x}$ $\require{html} \style{position:fixed}{x}$ $\class{a}{b}$ $\includegraphics{http://evil.test/x.png}$",
    "[click](javascript&#58;window.evil=1)", r"[click](javascript\:window.evil=1)", "[click]( \tjavascript:window.evil=1)", "[click]\n\n[click]:\njavascript:window.evil=1",
    "[click](<java\tscript:window.evil=1>)", "```mermaid\ngraph TD\nA-->B\nclick A \"javascript:window.evil=1\"\n```", "<javascript:window.evil=1>",
    "<img src=http://evil.test/x.png>", "`<script>window.evil = 1</script>`", "<http://evil.test/>", "a\n```html\n<script>window.evil=1</script>\n```",
    "&lt;script&gt;window.evil=1&lt;/script&gt;", "<<b>script>window.evil=1</<b>script>", "[x]: http://evil.test 'a\" onmouseover=\"window.evil=1'\n[x]",
):
    display(Markdown(text))
display(Latex(r"$\href{javascript:window.evil=1}{x} \unicode{60}$"))
