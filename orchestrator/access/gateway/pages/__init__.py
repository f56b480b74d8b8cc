"""What a browser is shown: templates, and the files that they refer to.

A page is a template in this folder, a file that pages refer to stands in `static/`. In a template,
`{{ static("name.css") }}` is such a file's address, which changes with its content, so that browsers keep it for good.
"""
