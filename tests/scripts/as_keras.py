"""Run published scripts with Keras and with polykeras, and compare the numbers that they see; then write it into docs/generated/scripts.md.

    python tests/scripts/as_keras.py --keras CLONE [--book CLONE] [--only WORDS] [--missing]

Each script runs on PyTorch where it may choose, and on another framework where it is not equal there, with nothing left to chance (fixed.py). Compared are the
names, order and values of each history, of what `train_on_batch`, `test_on_batch` and `evaluate` return, of the losses of own
loops, and a digest of predictions, to 1e-3. Results are kept in outputs/as_keras.json.
"""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

import fixed
import run
from catalogue import SOURCES, Script, scripts

ORDER = ("torch", "tensorflow", "jax")
"""Of the frameworks that a script may choose: the next one is tried where its numbers are not equal, or Keras stops."""


def compared(clone: str, script: Script, backend: str, limit: float, kept: dict[str, Any]) -> dict[str, Any]:
    """Return what came of both runs; what Keras gave before is taken from `kept`."""
    os.environ |= {"SCRIPT_COMPARED": "1"}
    if (theirs := kept.get("theirs")) is None:
        os.environ["SCRIPT_KERAS"] = "1"
        theirs = run.run(clone, script, backend, limit)
        del os.environ["SCRIPT_KERAS"]
    result = {"backend": backend, "theirs": theirs, "ours": None, "difference": ""}
    if theirs["error"] and not theirs.get("numbers"):
        return result
    ours = result["ours"] = run.run(clone, script, backend, limit)
    if not ours["error"]:
        mine, its = ours["numbers"], theirs["numbers"]
        if theirs["error"]:  # up to where Keras stopped; losses of loops are noted at the end
            mine, its = ([one for one in all_ if not one[0].startswith("loss of")] for all_ in (mine, its))
            mine = mine[: len(its)]
        result["difference"] = fixed.difference(mine, its)
    return result


def main() -> None:
    """Run what the options ask for, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in dict.fromkeys(source.option for source in SOURCES):
        parser.add_argument(f"--{option}", help="a clone; without it its scripts are not run")
    parser.add_argument("--only", nargs="*", default=[""], help="parts of scripts' paths")
    parser.add_argument("--missing", action="store_true", help="only scripts without a result")
    parser.add_argument(
        "--unequal", action="store_true", help="only scripts whose numbers are not equal, on their other frameworks"
    )
    parser.add_argument("--ours", action="store_true", help="take Keras's numbers from the results")
    parser.add_argument("--limit", type=float, default=150, help="seconds for a run")
    options = parser.parse_args()
    for script in scripts():
        clone, name = getattr(options, script.source.option), run.key(script)
        kept = read().get(name, {})
        if not clone or not any(part in name for part in options.only) or (options.missing and kept):
            continue
        backends = [backend for backend in ORDER if backend in script.backends][:2]
        if options.unequal:
            backends = [] if not kept or are_equal(kept) else [each for each in backends if each != kept["backend"]]
        if options.ours:
            backends = [kept["backend"]] if kept else backends[:1]
        for place, backend in enumerate(backends):
            found = compared(clone, script, backend, options.limit, kept if options.ours else {})
            show(name, found)
            if are_equal(found) or (place == 0 and not options.unequal):
                new = run.COMPARED.with_suffix(".new")
                new.write_text(json.dumps(read() | {name: found}, indent=1), encoding="utf-8")
                new.replace(run.COMPARED)
            if are_equal(found):
                break
    write_column()


def write_column() -> None:
    """Write the column `as Keras` of the page, and its totals. What has no result here stays as the page says."""
    results, known = read(), {run.key(script): script for script in scripts()}
    lines, commit, cells = run.PAGE.read_text(encoding="utf-8").split("\n"), "", []
    for place, line in enumerate(lines):
        commit = line.rpartition(" ")[2][:7] if line.startswith("## ") else commit
        row = line.split(" | ")
        name = f"{commit}:{row[0].removeprefix('| ')}"
        if name in known:
            row[4] = run.as_keras(known[name], results[name]) if name in results else row[4]
            lines[place] = " | ".join(row)
            cells += [row[4]] * (row[4] != "not compared")
    place = next(i for i, line in enumerate(lines) if " scripts were run once with Keras" in line)
    lines[place] = run.totals(cells).strip()
    run.PAGE.write_text("\n".join(lines), encoding="utf-8")


def are_equal(found: dict[str, Any]) -> bool:
    """Return whether both ran to their end, and all numbers are equal."""
    theirs, ours = found["theirs"], found["ours"]
    return bool(ours and theirs.get("numbers")) and not (theirs["error"] or ours["error"] or found["difference"])


def show(name: str, found: dict[str, Any]) -> None:
    """Print what came of a script."""
    for which in ("theirs", "ours") if found["ours"] else ("theirs",):
        told = found[which]
        print(f"{name} {which}, {found['backend']}: {told['error'] or 'ok'}, {told['seconds']} s", flush=True)
    count = len(found["theirs"].get("numbers", ()))
    print(f"    {found['difference'] or 'no difference'}, {count} numbers", flush=True)


def read() -> dict[str, Any]:
    """Return the results that are kept."""
    return json.loads(run.COMPARED.read_text(encoding="utf-8")) if run.COMPARED.exists() else {}


if __name__ == "__main__":
    main()
