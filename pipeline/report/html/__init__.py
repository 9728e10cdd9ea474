"""The pages: a run, or several compared, as one HTML file that opens offline and asks nothing of anyone.

``record`` reads what a run left on disk, ``artifacts`` finds the samples and features behind it, ``svg`` and ``plots``
draw, ``run_page`` and ``comparison`` say what a page holds, each section in a module of its own, the templates how it
looks, ``pages`` writes it.
"""

from frostline.pipeline.report.html.pages import COMPARISON, page_for, write_comparison, write_page

__all__ = ["COMPARISON", "page_for", "write_comparison", "write_page"]
