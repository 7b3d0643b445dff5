# SPDX-License-Identifier: GPL-2.0
"""Sphinx configuration of the documentation site; scripts/htmldocs builds it, with the pages that it generates."""

project = 'sgx2'
author = 'The sgx2 developers'
project_copyright = 'The sgx2 developers, GPL-2.0'

needs_sphinx = '5.3'
extensions: list[str] = []
exclude_patterns: list[str] = []
# A block without a language is a command or its output.
highlight_language = 'none'
pygments_style = 'friendly'
pygments_dark_style = 'monokai'
# scripts/kernel-doc emits these in declarations.
c_id_attributes = ['__user', '__init', '__exit', '__iomem', '__must_check', '__always_inline', 'noinline']

html_theme = 'furo'
html_title = 'sgx2'
html_static_path = ['_static']
html_css_files = ['site.css']
html_copy_source = False
html_show_sphinx = False
html_theme_options = {'sidebar_hide_name': False}
