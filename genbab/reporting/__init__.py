"""Reports: a study as one HTML file for people.

`facts` reads the study, `content` decides what is said, `charts`, `points` and `summary` how, `page` puts it
into the templates. Drawings are SVG, pictures PNG inside of the page.
"""
