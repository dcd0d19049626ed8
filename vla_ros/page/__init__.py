"""Building blocks of the pages that this package writes: one file each, nothing from outside.

Imported by the demo's report and by the reports of recordings and replays. Matplotlib is needed by
``figure`` only.
"""
