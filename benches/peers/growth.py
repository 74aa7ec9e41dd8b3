#!/usr/bin/env python3
"""What a dispute over a text costs as the text grows: python growth.py [--tokens 16 64 256 1024]
[--faults weight logit] [--plot FILE.svg] [--json FILE]

`cargo build --release` first. For each length the trial of each fault is played once; the dearest counts. Standard library only.
"""

import argparse
import json
import math
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MODEL = ROOT / "fixtures/data/real/models/smollm2-135m-q4_1.gguf"
OPML = ROOT / "target/release/opml"
PROMPT = "The capital of France is"
FAULTS = ["weight", "probability", "logit", "token"]
COLUMNS = [("moves", "moves"), ("gas", "gas"), ("proving", "proving, s"), ("game", "game, s"), ("hashes", "hashes, MiB"), ("values", "values, MiB")]


def trial(program, tokens, fault):
    command = [OPML, "trial", program, "--tokenizer", MODEL, "-p", PROMPT, "-n", str(tokens), "--fault", fault, "--json"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def row(program, tokens, faults):
    played = [trial(program, tokens, fault) for fault in faults]
    most = lambda of: max(of(one) for one in played)
    return {
        "tokens": tokens,
        "moves": most(lambda one: one["dispute"]["moves"]),
        "gas": most(lambda one: one["dispute"]["gas_total"]),
        "proving": min(one["honest_seconds"] for one in played),
        "game": min(one["game_seconds"] for one in played),
        "hashes": most(lambda one: one["memory"]["hashes"]) / 2**20,
        "values": most(lambda one: one["memory"]["values"]) / 2**20,
    }


def plot(rows):
    """Each figure relative to that of the shortest text, both axes logarithmic."""
    width, height, left, right, top, bottom = 640, 360, 60, 120, 20, 40
    colours = ["#1b6ca8", "#c0392b", "#27823b", "#8e44ad", "#b9770e", "#555555"]
    ratios = {key: [one[key] / rows[0][key] for one in rows] for key, _ in COLUMNS}
    top_ratio = max(max(list) for list in ratios.values())
    x = lambda tokens: left + (width - left - right) * math.log(tokens / rows[0]["tokens"]) / math.log(rows[-1]["tokens"] / rows[0]["tokens"])
    y = lambda ratio: height - bottom - (height - top - bottom) * math.log(max(ratio, 0.8) / 0.8) / math.log(top_ratio / 0.8)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">', f'<rect width="{width}" height="{height}" fill="white"/>']
    power = 0
    while 4**power <= top_ratio * 1.2:
        out.append(f'<line x1="{left}" x2="{width - right}" y1="{y(4**power):.1f}" y2="{y(4**power):.1f}" stroke="#dddddd"/><text x="{left - 8}" y="{y(4**power) + 4:.1f}" text-anchor="end">{4**power}×</text>')
        power += 1
    for one in rows:
        out.append(f'<text x="{x(one["tokens"]):.1f}" y="{height - 14}" text-anchor="middle">{one["tokens"]} tokens</text>')
    ends = []
    for (key, name), colour in zip(COLUMNS, colours):
        points = " ".join(f'{x(one["tokens"]):.1f},{y(ratio):.1f}' for one, ratio in zip(rows, ratios[key]))
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        ends.append([y(ratios[key][-1]), name.split(",")[0], colour])
    last = -math.inf
    for place, name, colour in sorted(ends):
        last = max(place, last + 14)
        out.append(f'<text x="{width - right + 8}" y="{last + 4:.1f}" fill="{colour}">{name}</text>')
    return "\n".join([*out, "</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, nargs="+", default=[16, 64, 256, 1024])
    parser.add_argument("--faults", nargs="+", default=FAULTS)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "model.opml"
        context = max(arguments.tokens) + 16
        subprocess.run([OPML, "import", MODEL, "-o", program, "--context", str(context)], check=True, stdout=subprocess.DEVNULL)
        rows = [row(program, tokens, arguments.faults) for tokens in sorted(arguments.tokens)]
    print("| new tokens | " + " | ".join(name for _, name in COLUMNS) + " |\n|--:" * 1 + "|--:" * len(COLUMNS) + "|")
    for one in rows:
        cells = [f"{one[key]:,}" if isinstance(one[key], int) else f"{one[key]:.1f}" for key, _ in COLUMNS]
        print(f"| {one['tokens']:,} | " + " | ".join(cells) + " |")
    if arguments.plot:
        arguments.plot.write_text(plot(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
