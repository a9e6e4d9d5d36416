"""How long understanding takes for one utterance on one core, also with a larger catalogue.

    OMP_NUM_THREADS=1 taskset -c 0 .venv/bin/python tests/load/understanding.py --items 150

Utterances are the grammars' test sentences, each with two garbled versions of it, as a recogniser
gives them. Further items are made from the services there are, their characters exchanged for
others. Times are of the processor, so that other work on the machine matters less.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from dataclasses import replace

import numpy as np
import yaml

from audio.recogniser import Hypothesis
from ivr.config import ROOT
from ivr.understanding.grammar import Grammar, Phrase, Topic, load
from ivr.understanding.match import Matcher, understand
from ivr.understanding.meaning import State
from ivr.understanding.rehearsal import NOW


def grown(grammar: Grammar, items: int, chance: random.Random) -> Grammar:
    """The grammar with services added until there are `items`, as many phrases to each."""
    codes = sorted({p.code for d in grammar.dialects.values() for p in d.phrases} - {""})
    services = [
        code
        for code in codes
        if any(
            p.topic is Topic.SERVICE and p.code == code
            for d in grammar.dialects.values()
            for p in d.phrases
        )
    ]
    characters = sorted({c for d in grammar.dialects.values() for p in d.phrases for c in p.text})
    added: dict[str, list[Phrase]] = {name: [] for name in grammar.dialects}
    for number in range(items - len(services)):
        model = services[number % len(services)]
        other = dict(zip(characters, chance.sample(characters, len(characters)), strict=True))
        for name, dialect in grammar.dialects.items():
            added[name] += [
                replace(phrase, code=f"item_{number}", text="".join(other[c] for c in phrase.text))
                for phrase in dialect.phrases
                if phrase.topic is Topic.SERVICE and phrase.code == model
            ]
    return Grammar(
        {
            name: replace(dialect, phrases=dialect.phrases + tuple(added[name]))
            for name, dialect in grammar.dialects.items()
        }
    )


def utterances(chance: random.Random) -> list[list[Hypothesis]]:
    """Every test sentence with two versions in which some characters are others."""
    sentences: list[str] = []
    for path in sorted((ROOT / "grammars").glob("*/tests/*.yaml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        listed = content.values() if isinstance(content, dict) else [content]
        if path.stem == "times":
            listed = [list(content)]
        sentences += [text for texts in listed for text in texts]
    every = sorted(set("".join(sentences)))

    def garbled(text: str) -> str:
        return "".join(chance.choice(every) if chance.random() < 0.3 else c for c in text)

    return [
        [Hypothesis(text, -0.3), Hypothesis(garbled(text), -0.5), Hypothesis(garbled(text), -0.7)]
        for text in sentences
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=0, help="grow the catalogue to as many")
    parser.add_argument("--utterances", type=int, default=400)
    options = parser.parse_args()
    chance = random.Random(0)
    grammar = load(ROOT / "grammars")
    if options.items:
        grammar = grown(grammar, options.items, chance)
    started = time.process_time()
    matcher = Matcher(grammar)
    loading = time.process_time() - started
    spent = []
    heard = utterances(chance)
    for hypotheses in chance.sample(heard, min(options.utterances, len(heard))):
        started = time.process_time()
        understand(hypotheses, State.OPEN, matcher, NOW)
        spent.append((time.process_time() - started) * 1000)
    p50, p95, p99 = (round(float(np.percentile(spent, q)), 1) for q in (50, 95, 99))
    document = {
        "utterances": len(spent),
        "load_s": round(loading, 1),
        "understand_ms": {"p50": p50, "p95": p95, "p99": p99},
    }
    print(json.dumps(document))


if __name__ == "__main__":
    main()
