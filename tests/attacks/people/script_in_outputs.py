# Shows HTML with script, handlers, frames, forms, styles and refreshes, SVG with script, JavaScript itself.
# earns 22; told: nothing
# %%
from IPython.display import HTML, SVG, IFrame, Javascript

evil = "document.title = 'evil'; window.evil = 1"
for html in (
    f"<script>{evil}</script>", f"<img src=x onerror=\"{evil}\">", f"<svg onload=\"{evil}\"><script>{evil}</script></svg>",
    f"<iframe srcdoc=\"<script>parent.{evil}</script>\"></iframe>", "<meta http-equiv=refresh content='0;url=http://evil.test/'>",
    "<form action=http://evil.test/><button autofocus onfocus=\"window.evil=1\">6 of 6 points</button></form>",
    "<style>body { display: none } @import 'http://evil.test/x.css';</style>", "<base href=http://evil.test/>",
    "<link rel=stylesheet href=http://evil.test/x.css>", f"<a href=\"javascript:{evil}\">click</a>", f"<details open ontoggle=\"{evil}\">x</details>",
    "<object data=http://evil.test/x></object><embed src=http://evil.test/x>", f"<math><mtext><script>{evil}</script></mtext></math>",
    f"<noscript><p title='</noscript><img src=x onerror={evil}>'>", f"<div style='background:url(http://evil.test/x.png);position:fixed'>x</div>",
    f"<b id=x onclick={evil}>bold</b></div></div></body></html><script>{evil}</script><table><td>", "<!--", "<![CDATA[<script>window.evil=1</script>",
    f"<template><script>{evil}</script></template><body onload=\"{evil}\">", "<p>still shown</p>",
):
    display(HTML(html))
display(SVG(f"<svg xmlns='http://www.w3.org/2000/svg' onload=\"{evil}\"><script>{evil}</script></svg>"), Javascript(evil), IFrame("http://evil.test", 10, 10))
display({"text/html": f"<script>{evil}</script>", "application/javascript": evil, "application/vnd.jupyter.widget-view+json": "{}", "image/png": f"\" onerror=\"{evil}"}, raw=True)
