"""The pages: a run, or several compared, as one HTML file that opens offline and asks nothing of anyone.

``record`` reads what a run left on disk, ``evidence`` finds the samples and features behind it, ``figures`` and
``plots`` draw, ``story`` and ``comparison`` say what a page holds, the templates how it looks, ``pages`` writes it.
"""

from frostline.pipeline.report.html.pages import COMPARISON, page_for, write_comparison, write_page

__all__ = ["COMPARISON", "page_for", "write_comparison", "write_page"]
