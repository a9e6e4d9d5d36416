"""What monitoring sees of the calls; times in seconds."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

CALLS = Counter("yihu_calls", "Calls that reached the agent.")
IN_PROGRESS = Gauge("yihu_calls_in_progress", "Calls the agent is talking to.")
LIMIT = Gauge("yihu_calls_limit", "Calls that the agent takes at once, as fast as it is now.")
ADMISSIONS = Counter(
    "yihu_admissions",
    "What the dialplan was told to do with a call: agent, queue, callback.",
    ["answer"],
)
OUTCOMES = Counter("yihu_call_outcomes", "Calls by how they ended.", ["outcome"])
TURNS = Counter("yihu_turns", "What callers did: heard, digit, silence, note.", ["kind"])
ORDERS = Counter("yihu_orders", "Orders booked.")
LATE_FRAMES = Counter("yihu_late_frames", "Frames of sound a caller had to wait for.")
LATENCY = Histogram(
    "yihu_answer_seconds",
    "From the end of the caller's speech to the first frame of the answer.",
    buckets=(0.5, 0.7, 0.75, 0.8, 0.85, 0.9, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 8.0),
)
STAGES = Histogram(
    "yihu_turn_stage_seconds",
    "Where the time of a turn went; first_frame is all of it, up to the first frame of the answer.",
    ["stage"],
    buckets=(0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 4.0, 8.0),
)
WAITING = Gauge(
    "yihu_recogniser_waiting_seconds", "How long the caller who waits longest for it has waited."
)
FALLBACKS = Counter(
    "yihu_recogniser_fallbacks",
    "Utterances that a dialect's engine failed at or was late for, heard by the default.",
    ["engine"],
)
RECOGNITION = Histogram(
    "yihu_recognition_seconds",
    "Work of the recogniser on one utterance.",
    buckets=(0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5, 2.0, 4.0, 6.0),
)
TOGETHER = Histogram(
    "yihu_recognised_together",
    "Utterances that the recogniser heard at once.",
    buckets=(1, 2, 3, 4),
)
