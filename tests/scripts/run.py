"""Run published scripts unchanged on polykeras and write docs/generated/scripts.md.

    python tests/scripts/run.py --keras CLONE [--book CLONE] [--tcn CLONE] [--only WORDS] [--backends jax torch]

Clones are of the repositories in catalogue.py, bare or not. Each script runs in a process and a folder of its own, as it stands at its
commit: `import keras` means polykeras; data sets, downloads and published weights are fakes, and training is cut short (one_script.py).
Results are kept in outputs/scripts.json, so that the table can be made in several runs; `--missing` runs only what has no result yet.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fakes
from catalogue import BACKENDS, BY_NATURE, SOURCES, UNLIKE_KERAS, Script, Source, scripts

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "outputs" / "scripts.json"
COMPARED = ROOT / "outputs" / "as_keras.json"
PAGE = ROOT / "docs" / "generated" / "scripts.md"
HEAD = """\
# Published scripts

Scripts of others, unchanged, in which `import keras` means polykeras. `tests/scripts/run.py` runs each at the named
commit, in a process and a folder of its own, and writes this page. Not real are:

- data sets, downloads and weights of applications: small random ones of the same names, formats and shapes
  (`tests/scripts/fakes.py`). Of most the losses say nothing but that they are finite, which is checked; images, texts
  and houses can be learnt;
- the length of training: one epoch of 2 steps a call of `fit`, and a script that trains for ever ends after 25 calls.
  Scripts with code of a framework that trains have more steps and epochs (`tests/scripts/catalogue.py` says how many),
  their own loops see the first batches of a data set only, and end after 400 losses, or after 12 in a minute;
- much data beyond training: `evaluate` sees 2 batches, and `predict` the first 500 rows, whose results are repeated;
- `np.float` and `np.int`, which NumPy 1 had and older scripts use; hashes of downloads, which fakes cannot have;
- the number of sentence pairs: 100, as Keras 2.3's cnn_seq2seq.py predicts for 100 samples beside zeros for all pairs, which fails elsewhere;
- `IPython.display`, `tqdm`, `imageio` and `tensorflow_docs.vis`, where they are not installed: they show nothing. Lines of notebooks that are for the shell or
  for IPython (`!`, `%`) are left out.

*ok* means that the script ran to its end, *cut* that it was ended in its loop of trainings. The seconds are those of a
machine that was busy with other things. A dash stands where a script is written for another framework; *not run* says that
nobody tried yet.

*as Keras* compares the numbers of one run with Keras 3.15.1 and of one with polykeras, on PyTorch where the script may choose, or on TensorFlow
if the numbers are not equal there or Keras stops (`tests/scripts/as_keras.py`): the names, order and values of each history, what `evaluate`, `train_on_batch` and `test_on_batch`
return, shape, mean, deviation and first values of predictions, and the first 5 losses of a loop of the script's own (later
ones differ by how rounding grows). *Equal* means to 1e-3, or to 1e-6 below 1e-3, beside `n numbers`. Nothing is left to chance
there (`tests/scripts/fixed.py`): random numbers depend on their shape alone, nothing is dropped out or shuffled, files are listed in
order, and `fit` has 2 epochs of at most 5 steps, or as many epochs as a script counts on (`tests/scripts/catalogue.py`). A model's weights are scaled by their places when it is first trained, so that another order of them shows. *Keras
stops* gives the error that Keras ends the script with, mostly for spellings of Keras 1 and 2.

Tried and left out of the table, as they stop in code of their own whatever Keras is: Keras 2.3's babi_memnn.py (splits by a
pattern that gives None since Python 3.7), keras_io's neural_machine_translation_with_transformer.py (`os["KERAS_BACKEND"] = ...`)
and tabtransformer.py (`tf` is not imported), Keras's demo_jax_distributed.py (JAX refuses its mesh with an axis named None).
Of scripts with code of a framework these use what Keras 3.15 refuses too: TensorFlow's guide/basic_training_loops.ipynb
and guide/checkpoint.ipynb (weights in files of TensorFlow's), guide/effective_tf2.ipynb and
tutorials/distribute/custom_training.ipynb (`reset_states`), guide/mixed_precision.ipynb (`get_scaled_loss`), keras_io's
intro_to_keras_for_researchers.py (`weights` are to be the `tf.Variable`s), vq_vae.py (`tf.one_hot` of a symbolic tensor, after its
training), gat_node_classification.py (where an archive is unpacked), second_edition/chapter12_part05_gans.ipynb (`smart_resize`),
and metric_learning.py (sets `num_batches`); forwardforward.py stops in XLA's type check, as its data are float64. The losses of reptile.py are no single numbers, and nnclr.py,
semisupervised_simclr.py and semantic_image_clustering.py take more than two minutes for ten steps on the machine used. cvae.ipynb
and real_nvp.py have TensorFlow Probability, which asks for `tf_keras`: that is the true one there. No published script was found that steps a scheduler of
`torch.optim.lr_scheduler` over a Keras model, or holds a `FlaxLayer`; optax trains the Keras model of RecML's
jax_trainer_test.py, whose losses rise with its data (0, 1, 2, ...). Some runs on JAX of Keras 2.3's and keras_io's scripts were made with 2 epochs
a call, and two scripts in loops of trainings were ended after 10 or 20 calls in some runs.
"""


def git(clone: str, *arguments: str) -> bytes:
    """Return what git says in a clone."""
    folder = clone if Path(clone, "objects").is_dir() else str(Path(clone, ".git"))
    return subprocess.run(["git", f"--git-dir={folder}", *arguments], check=True, capture_output=True).stdout


def write_script(clone: str, script: Script, backend: str, folder: Path) -> Path:
    """Write the script as it is for a backend, and what it imports from its repository, into a folder."""
    source = script.source
    if source.beside:
        archive = git(clone, "archive", source.commit, "--", *source.beside)
        subprocess.run(["tar", "x", "-C", str(folder)], input=archive, check=True)
    text = git(clone, "show", f"{source.commit}:{script.path}").decode()
    path = folder / script.path
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".ipynb":
        path, text = path.with_suffix(".py"), code_of(text, backend)
    path.write_text(text, encoding="utf-8")
    return path


def code_of(notebook: str, backend: str) -> str:
    """Return the code of a notebook, without lines for the shell or for IPython, and cells for other backends."""
    cells = ["".join(cell["source"]) for cell in json.loads(notebook)["cells"] if cell["cell_type"] == "code"]
    cells = [cell for cell in cells if not cell.startswith("%%backend") or backend in cell.partition("\n")[0]]
    lines = "\n\n".join(cells).splitlines()
    return "\n".join("pass" if line.startswith(("!", "%")) else line for line in lines) + "\n"


def run(clone: str, script: Script, backend: str, limit: float) -> dict[str, Any]:
    """Run a script on a backend and return what came of it."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="script-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        path = write_script(clone, script, backend, folder)
        for file in script.files:
            fakes.place(file, path.parent)
        report = folder / "report.json"
        compared = "SCRIPT_COMPARED" in os.environ  # rounding grows with each step
        paths = [str(ROOT), str(ROOT / "backends"), str(folder), os.environ.get("PYTHONPATH", "")]
        surroundings = os.environ | {
            "KERAS_BACKEND": backend, "POLYKERAS_BACKEND": backend, "KERAS_HOME": str(folder / "home"), "MPLBACKEND": "agg",
            "PYTHONPATH": os.pathsep.join(paths), "XLA_FLAGS": "",
            "SCRIPT_EPOCHS": "2" if compared and (script.native or not script.epochs) else script.epochs or "1",
        } | ({"SCRIPT_STEPS": str(min(int(script.steps), 5)) if compared else script.steps} if script.steps else {})  # fmt: skip
        surroundings |= dict(setting.split("=") for setting in script.env)
        command = [
            sys.executable,
            str(ROOT / "tests" / "scripts" / "one_script.py"),
            str(path),
            str(report),
        ]
        try:
            with open(log_of(script, backend), "w", encoding="utf-8") as log:
                subprocess.run(
                    command, cwd=path.parent, env=surroundings, timeout=limit, stdout=log, stderr=log, check=False
                )
            outcome = (
                json.loads(report.read_text(encoding="utf-8"))
                if report.exists()
                else {"error": "the process was killed"}
            )
        except subprocess.TimeoutExpired:
            outcome = {"error": f"still running after {limit:.0f} s"}
    return outcome | {"seconds": round(time.perf_counter() - start)}


def log_of(script: Script, backend: str) -> Path:
    """Return where the output of a run is kept."""
    folder = RESULTS.parent / "scripts"
    folder.mkdir(parents=True, exist_ok=True)
    keras = "-keras" * ("SCRIPT_KERAS" in os.environ)
    return folder / f"{key(script).replace('/', '_')}-{backend}{keras}.log"


def key(script: Script) -> str:
    """Return the name of a script among the results."""
    return f"{script.source.commit[:7]}:{script.path}"


def page(results: dict[str, Any], compared: dict[str, Any]) -> Iterator[str]:
    """Give the lines of the table."""
    yield HEAD
    known = [(script, results.get(key(script), {})) for script in scripts()]
    good = [
        sum(found.get(backend, {"error": ""})["error"] is None for backend in script.backends)
        for script, found in known
    ]
    runs = sum(backend in found for script, found in known for backend in script.backends)
    whole = sum(count == len(script.backends) for (script, _), count in zip(known, good, strict=True))
    tried = sum(bool(found) for _, found in known)
    fully = sum(all(backend in found for backend in script.backends) for script, found in known)
    yield (
        f"Of the {len(known)} scripts below, {tried} were run, {fully} of them on each of their backends; nobody ran the "
        f"others yet. {whole} were ok on each of their backends, {sum(map(bool, good))} on one at least; of {runs} runs "
        f"{sum(good)} were.\n"
    )
    yield totals([as_keras(script, compared[key(script)]) for script in scripts() if key(script) in compared])
    yield from native_rows(known)
    for source in SOURCES:
        yield from rows_of(source, results, compared)


NATIVE = """\
## Scripts that train by code of a framework

Losses of the scripts' own tapes, `backward()` and `jax.grad` (`tests/scripts/losses.py`), named by the function that asks for
the gradients, with a number from the second place on; `fit` is the loss of its epochs, shown where the native code is within
layers. *First* and *last* are the means of the first and of the last quarter of the steps. Series of less than 4 are left out.

| script | framework | native code | series | losses | first | last | |
|---|---|---|---|---|---|---|---|"""


def native_rows(known: list[tuple[Script, dict[str, Any]]]) -> Iterator[str]:
    """Give the lines of the table of losses, and a line that counts them."""
    rows, good, runs = [], 0, 0
    for script, found in known:
        for backend, one in found.items() if script.native else ():
            series = {name: ends for name, ends in one.get("losses", {}).items() if ends[0] >= 4}
            own = {name: ends for name, ends in series.items() if not name.startswith("fit ")} or series
            verdicts = [verdict(script, name, ends) for name, ends in own.items()]
            runs += 1
            good += one["error"] is None and bool(own) and "does not fall" not in verdicts
            if one["error"]:  # it stands among the failures below
                continue
            for (name, (count, first, last)), word in zip(own.items(), verdicts, strict=True):
                cells = (
                    script.path,
                    backend,
                    ", ".join(script.native),
                    name,
                    count,
                    f"{first:.4g}",
                    f"{last:.4g}",
                    word,
                )
                rows.append(f"| {' | '.join(map(str, cells))} |")
    yield NATIVE
    yield from rows
    yield f"\n{good} of {runs} runs came to their end, or to the end that was set, with all losses finite and falling, but for those named.\n"


def verdict(script: Script, name: str, ends: list[float]) -> str:
    """Return whether a series falls, or why it does not."""
    if ends[2] < ends[1]:
        return "falls"
    reasons = [why for (path, part), why in BY_NATURE.items() if script.path.endswith(path) and part in name]
    return reasons[0] if reasons else "does not fall"


def rows_of(source: Source, results: dict[str, Any], compared: dict[str, Any]) -> Iterator[str]:
    """Give the lines of a source, and the reasons of its failures."""
    mine = [(script, results.get(key(script), {})) for script in scripts() if script.source is source]
    yield f"## {source.repository} at {source.commit[:12]}\n"
    yield f"| script | {' | '.join(BACKENDS)} | as Keras | calls that trained | files beside it |\n|---{'|---' * (len(BACKENDS) + 3)}|"
    for script, found in mine:
        cells = [cell(found.get(backend)) if backend in script.backends else "–" for backend in BACKENDS]
        trained = max((one.get("trainings", 0) for one in found.values()), default="")
        cells.append(as_keras(script, compared.get(key(script))))
        yield f"| {script.path} | {' | '.join(cells)} | {trained} | {', '.join(file.rpartition('/')[2] for file in script.files)} |"
    yield ""
    for script, found in mine:
        for backend, one in found.items():
            if one["error"]:
                reason = one["error"][:200].replace("`", "'")
                yield f"- {script.path}, {backend}: `{reason}`"
    yield ""


def as_keras(script: Script, found: dict[str, Any] | None) -> str:
    """Return how a run compares with Keras's, for a cell of the table."""
    if found is None:
        return "not compared"
    theirs, ours, why = found["theirs"], found["ours"], reason(script)
    if theirs["error"]:
        if "numbers" not in theirs:
            return f"not compared: Keras was {theirs['error']}"
        short = theirs["error"].partition(" (/")[0].replace("|", "/")[:90]  # without paths of this machine
        same = ours and theirs["numbers"] and not found["difference"]
        until = f", {len(theirs['numbers'])} numbers until then are equal" if same else ""
        return f"not comparable: {why or 'Keras stops, ' + short}{until}"
    if ours["error"]:
        return f"differs: Keras goes on where polykeras stops, {ours['error'].partition(':')[0]}"
    if found["difference"]:
        return f"differs: {why or found['difference']}"
    if not theirs["numbers"]:
        return f"not comparable: {why or 'it trains nothing, and predicts nothing'}"
    return f"equal, {len(theirs['numbers'])} numbers, {found['backend']}"


def reason(script: Script) -> str:
    """Return why numbers of a script differ, or cannot be compared, if somebody looked."""
    return next((why for path, why in UNLIKE_KERAS.items() if key(script).endswith(path)), "")


def totals(cells: list[str]) -> str:
    """Return a line that counts the cells of what was compared with Keras."""
    words = [text.partition(":")[0].partition(",")[0] for text in cells]
    end = [text for text in cells if text.startswith(("equal", "differs")) or "it trains nothing" in text]
    both = sum("goes on where polykeras stops" not in text for text in end)
    return (
        f"{len(cells)} scripts were run once with Keras 3.15.1 and once with polykeras, on PyTorch where they may choose "
        f"(`tests/scripts/as_keras.py`): the numbers of {words.count('equal')} are equal to 1e-3, those of "
        f"{words.count('differs')} differ, {words.count('not comparable')} cannot be compared, {words.count('not compared')} took too long. Keras ran {len(end)} to "
        f"their end; polykeras did with {both} of these.\n"
    )


def cell(outcome: dict[str, Any] | None) -> str:
    """Return a cell of the table."""
    if outcome is None:
        return "not run"
    ended = ", cut" * bool(outcome.get("note"))
    return "failed" if outcome["error"] else f"ok{ended}, {outcome['seconds']} s"


def main() -> None:
    """Run what the options ask for, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in dict.fromkeys(source.option for source in SOURCES):
        parser.add_argument(f"--{option}", help="a clone; without it its scripts are not run")
    parser.add_argument("--only", nargs="*", default=[""], help="parts of scripts' paths")
    parser.add_argument("--skip", nargs="*", default=[], help="parts of paths of scripts to leave out")
    parser.add_argument("--backends", nargs="*", default=BACKENDS)
    parser.add_argument(
        "--missing", action="store_true", help="only runs without a result, or that failed with --failed"
    )
    parser.add_argument("--failed", action="store_true", help="only runs that failed")
    parser.add_argument("--limit", type=float, default=150, help="seconds for a script")
    parser.add_argument("--total", type=float, default=1e9, help="seconds after which no further script begins")
    options = parser.parse_args()
    results: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    begun = time.perf_counter()
    for script in scripts():
        clone = getattr(options, script.source.option)
        for backend in script.backends:
            before = results.get(key(script), {}).get(backend)
            unwanted = (options.missing and before is not None) or (options.failed and not (before and before["error"]))
            named = clone and backend in options.backends and any(part in key(script) for part in options.only)
            named = named and not any(part in key(script) for part in options.skip)
            if unwanted or not named or time.perf_counter() - begun > options.total:
                continue
            outcome = run(clone, script, backend, options.limit)
            print(
                f"{key(script)} {backend}: {outcome['error'] or 'ok'}, {outcome['seconds']} s {outcome.get('note', '')}",
                flush=True,
            )
            results.setdefault(key(script), {})[backend] = outcome
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(results, indent=1), encoding="utf-8")
    write_page()


def write_page() -> None:
    """Write the page from the results that are kept."""
    results, compared = (
        json.loads(file.read_text(encoding="utf-8")) if file.exists() else {} for file in (RESULTS, COMPARED)
    )
    PAGE.write_text("\n".join(page(results, compared)), encoding="utf-8")


if __name__ == "__main__":
    main()
