"""How Sphinx builds the site; `grader site` puts the pages beside this file."""

project = "Learn the Transformer by writing it"
copyright = "2026 The Transformer course authors, MIT licence"  # as LICENSE says
html_title = project
language = "en"

extensions = ["myst_nb"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # `make release` has executed the lessons
nb_render_text_lexer = "none"

html_theme = "sphinx_book_theme"
html_static_path = ["static"]
html_css_files = ["site.css"]
mathjax_path = "mathjax/tex-svg.js"
html_copy_source = html_show_sourcelink = False
html_theme_options = {
    "navbar_persistent": [],  # the search has its place beside the pages
    "home_page_in_toc": False,
    "use_download_button": False,
    "footer_content_items": ["copyright.html"],  # and no author: the theme would say that none is set
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
