"""Charts: tidy frame in, figure out. They import no Streamlit and take their colours from `slimviz.theme`."""

from altair.utils import schemapi

# Altair would validate every part of a chart as it is made, and the whole again when it is drawn. The second time is
# enough, and a slider that redraws four charts feels the first.
schemapi.disable_debug_mode()
