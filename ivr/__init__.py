"""The agent: telephony, dialogue, understanding and the loop of one call."""

import os

# OpenBLAS keeps a second thread turning between the small products of numpy that recognition
# makes: a third of all its processor time. It reads this when numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
