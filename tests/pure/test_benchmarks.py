"""What the benchmarks make of their numbers: rows, ways, ratios, what is asked, tables, several runs.

All rows here are made by hand; no framework is needed, and nothing is timed.
"""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from benchmarks import claims, machine, markdown, paths, picture, processes, rows, scaling, sections, timing
from benchmarks.__main__ import main, options_of, read_runs
from benchmarks.checking import LOSSES, PREDICTIONS, _packed, beyond, check_rows
from benchmarks.competitors import TUNED
from benchmarks.measures import asked_ways
from benchmarks.processes import Runner, WorkerError, compile_sources, rotated
from benchmarks.tasks import FIRST_FOUR, TASKS


def row(section: str, measure: str, task: str = "mlp", framework: str = "jax", **numbers: Any) -> dict[str, Any]:
    """Return a row; `keras=[2.0, 3.0]` stands for the rounds of Keras, whose median is its number."""
    made: dict[str, Any] = {"section": section, "framework": framework, "task": task, "measure": measure}
    made |= {"unit": sections.SECTIONS[section].unit_of(measure), "load": 0.5}
    for who, given in numbers.items():
        if isinstance(given, list):
            made |= {who: float(np.median(given)), f"{who}_rounds": given}
        else:
            made[who] = given
    return made


def printed(show: Any, *arguments: Any) -> str:
    out = io.StringIO()
    console = Console(file=out, width=250)
    show(*[console if argument is Console else argument for argument in arguments])
    return out.getvalue()


# ---- the registry ------------------------------------------------------------------------------------------------


def test_each_asked_measure_is_one_of_one_section() -> None:
    listed = [measure for section in sections.SECTIONS.values() for measure in section.measures]
    assert len(listed) == len(set(listed))
    assert {*claims.ASKED, *claims.ASKED_RATIOS} <= set(listed)
    assert all(name == section.name for name, section in sections.SECTIONS.items())


def test_a_measure_that_no_section_lists_is_an_error() -> None:
    assert sections.section_of("first", "train").name == "first"
    assert sections.section_of("64", "scaling").unit_of("64") == "ms a step"
    with pytest.raises(ValueError, match="Expected one of the measures of section train"):
        sections.section_of("frist", "train")


def test_sections_in_passing_get_no_cells_of_their_own() -> None:
    cells = sections.plan(["train", "predict", "first", "build"], ["jax", "torch"], None, quick=False)
    assert len(cells) == 2 * len(TASKS) + 2
    assert {section for section, *_ in cells} == {"train", "build"}
    assert ("build", "torch", "build") in cells
    assert sections.plan(["predict"], ["jax"], ["gru"], quick=False) == [("predict", "jax", "gru")]


def test_one_process_checks_all_tasks() -> None:
    assert sections.plan(["check"], ["jax"], None, quick=True) == [("check", "jax", ",".join(FIRST_FOUR))]


def test_every_section_has_its_function() -> None:
    for section in sections.SECTIONS.values():
        source = Path(sections.__file__).with_name(f"{section.module}.py").read_text()
        assert f"\ndef {section.name}(" in source


def test_the_time_of_a_run_counts_processes() -> None:
    one = sections.SECTIONS["calls"].seconds
    assert sections.expected_seconds([("calls", "jax", "mlp")] * 3, 2) == 3 * 2 * 2 * one
    ways = {f: sections.expected_seconds([("first", f, "mlp")], 1) for f in TUNED}
    assert ways == {f: (2 + len(own)) * sections.SECTIONS["first"].seconds for f, own in TUNED.items()}
    assert sections.expected_seconds([("train", "tensorflow", "mlp")], 2, ["tuned"]) == 2 * 3 * 18
    check = [("check", "jax", "mlp,gru")]
    assert sections.expected_seconds(check, 3) == sections.expected_seconds(check, 1) > 0


def test_the_command_line() -> None:
    assert options_of([]).sections == list(sections.DEFAULT)
    quick = options_of(["--quick", "--rounds", "7"])
    assert (quick.rounds, quick.sections) == (1, ["train", "calls", "check"])
    assert options_of(["--quick", "--sections", "train"]).sections == ["train"]
    check = options_of(["--check", "--tasks", "mlp,gru"])
    assert (check.sections, check.tasks, check.json.name) == (["check"], ["mlp", "gru"], "check.json")
    assert options_of(["--who", "polykeras,tuned"]).who == ["polykeras", "tuned"]
    with pytest.raises(SystemExit):
        options_of(["--sections", "trian"])
    with pytest.raises(SystemExit):
        options_of(["--who", "kears"])


def test_who_competes() -> None:
    assert sections.competitors("jax", "train") == ("polykeras", "keras", "tuned", "native")
    assert sections.competitors("jax", "train", ["tuned", "polykeras"]) == ("polykeras", "tuned")
    assert sections.competitors("of_nobody", "train") == ("polykeras",)


# ---- rows --------------------------------------------------------------------------------------------------------


def test_rows_hold_medians_and_rounds() -> None:
    results = {
        "polykeras": [{"train": 1.0, "first": 9.0, "losses": [0.5]}, {"train": 3.0, "first": 7.0, "losses": [0.6]}],
        "keras": [{"train": 4.0, "first": 5.0, "losses": [0.5]}, {"train": 6.0, "first": 5.0, "losses": [0.5]}],
    }
    first, train = sorted(rows.rows_of("train", "jax", "mlp", results, 1.5), key=lambda r: r["section"])
    assert (train["polykeras"], train["polykeras_rounds"], train["keras"]) == (2.0, [1.0, 3.0], 5.0)
    assert (train["unit"], train["load"], train["polykeras_losses"]) == ("ms a step", 1.5, [0.5])
    assert (first["section"], first["measure"], first["unit"], first["polykeras"]) == ("first", "first", "s", 8.0)


def test_the_best_way_is_the_least_of_the_medians() -> None:
    """The way that was quickest in the first round is not the best of three."""
    native = [
        {"ways": {"train": {"a": 1.0, "b": 1.1, "slow": 2.0}}, "losses": {"a": [1.0], "b": [2.0], "slow": [3.0]}},
        {"ways": {"train": {"a": 1.4, "b": 1.1}}},
        {"ways": {"train": {"a": 1.3, "b": 1.2}}},
    ]
    (made,) = rows.rows_of("train", "jax", "mlp", {"polykeras": [{"train": 1.0}], "native": native}, 0.0)
    assert (made["native"], made["native_way"], made["native_rounds"]) == (1.1, "b", [1.1, 1.1, 1.2])
    assert made["native_ways"] == {"a": [1.0, 1.4, 1.3], "b": [1.1, 1.1, 1.2], "slow": [2.0]}
    assert made["native_losses"] == [2.0]


def test_the_defaults_are_a_way_to_tune() -> None:
    """Keras tuned is never slower than Keras; so also where its defaults come from another run."""
    tuned = [{"ways": {"train": {"XLA": 3.0, "32 steps": 1.0}, "first": {"XLA": 9.0, "32 steps": 9.0}}}]
    keras = [{"train": 2.0, "first": 5.0}]
    made = rows.rows_of("train", "tensorflow", "mlp", {"polykeras": keras, "keras": keras, "tuned": tuned}, 0.0)
    first, train = sorted(made, key=lambda r: r["section"])
    assert (train["tuned"], train["tuned_way"]) == (1.0, "32 steps")
    assert (first["tuned"], first["tuned_way"], first["tuned_rounds"]) == (5.0, "defaults", [5.0])
    assert first["tuned_ways"] == {"XLA": [9.0], "32 steps": [9.0], "defaults": [5.0]}
    alone = rows.rows_of("train", "tensorflow", "mlp", {"tuned": tuned}, 0.0)
    assert [row["tuned"] for row in alone] == [1.0, 9.0]
    again = rows.merged([rows.rows_of("train", "tensorflow", "mlp", {"keras": keras}, 0.0), alone])
    assert [(row["tuned"], row["keras"]) for row in again] == [(1.0, 2.0), (5.0, 5.0)]


def test_each_way_to_tune_has_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []

    def run(who: str, framework: str, task: str, section: str, **given: Any) -> tuple[Any, str]:
        called.append((who, given))
        return {"train": float(len(called)), "losses": [0.1]}, "said;"

    monkeypatch.setattr(processes, "run", run)
    result, said = processes.run_competitor("tuned", "tensorflow", "mlp", "train", {})
    assert called == [("keras", {"compiled": arguments}) for arguments in TUNED["tensorflow"].values()]
    assert result == {"ways": {"train": {"32 steps": 1.0, "XLA": 2.0, "32 steps, XLA": 3.0}}}
    assert said == "said;" * 3
    called.clear()
    processes.run_competitor("tuned", "tensorflow", "mlp", "train", {"train": ["XLA"], "first": ["XLA", "32 steps"]})
    assert called == [("keras", {"compiled": TUNED["tensorflow"][way]}) for way in ("32 steps", "XLA")]
    called.clear()
    processes.run_competitor("native", "jax", "mlp", "train", {"train": ["scan"]})
    processes.run_competitor("keras", "jax", "mlp", "train", {})
    assert called == [("native", {"ways": {"train": ["scan"]}}), ("keras", {})]


def test_ways_that_are_near_the_best_are_measured_again() -> None:
    found = rows.near_ways({"ways": {"train": {"a": 1.0, "b": 1.49, "c": 1.51}, "predict": {"d": 5.0, "e": 4.9}}})
    assert found == {"train": ["a", "b"], "predict": ["d", "e"]}
    assert rows.near_ways({"train": 1.0}) == {}


def test_ways_keep_their_order() -> None:
    """Ways that change the process come last, whatever the order in which they are asked for."""
    makers = {"a": 1, "b": 2, "keeps": 3}
    assert list(asked_ways("train", makers, {"train": ["keeps", "a"], "predict": []})) == ["a", "keeps"]
    assert asked_ways("train", makers, None) == asked_ways("train", makers, {"predict": ["a"]}) == makers
    with pytest.raises(ValueError, match="Expected ways of train among a, b, keeps; received c"):
        asked_ways("train", makers, {"train": ["c"]})


def test_competitors_take_turns() -> None:
    assert [rotated(("a", "b", "c"), turn)[0] for turn in range(4)] == ["a", "b", "c", "a"]
    assert rotated(("a", "b", "c"), 1) == ("b", "c", "a")


class Workers:
    """Stands for processes: notes how it was called, and fails where it is told to."""

    def __init__(self, fails: str = "") -> None:
        self.calls: list[tuple[str, Any]] = []
        self.fails = fails

    def __call__(self, who: str, framework: str, task: str, section: str, ways: Any) -> tuple[Any, str]:
        self.calls.append((who, dict(ways or {})))
        if who == self.fails:
            raise WorkerError("a line\nthe end of it")
        if who == "native":
            numbers = {"a": 1.0, "b": 3.0}
            asked = (ways or {}).get("train", list(numbers))
            return {"ways": {"train": {way: numbers[way] for way in asked}}, "losses": {}}, ""
        return {
            "train": 2.0,
            "losses": [0.1],
        }, "polykeras: this is slow\nnoise\nUserWarning: look at 0x1f\nUserWarning: look at 0x2e\n"


def test_a_cell_asks_later_rounds_for_the_near_ways() -> None:
    workers, out, who = Workers(), io.StringIO(), ("polykeras", "keras", "native")
    (made,) = Runner(Console(file=out, width=200), who, workers).measure("train", "jax", "mlp", 2)
    assert [who for who, _ in workers.calls] == ["polykeras", "keras", "native", "keras", "native", "polykeras"]
    assert [ways for who, ways in workers.calls if who == "native"] == [{}, {"train": ["a"]}]
    assert made["native_ways"] == {"a": [1.0, 1.0], "b": [3.0]}
    assert out.getvalue().count("this is slow") == 1, "each line is told once"
    assert out.getvalue().count("UserWarning: look") == 1, "an address makes no other line"
    assert "noise" not in out.getvalue()


def test_a_failure_is_a_row_and_the_others_go_on() -> None:
    workers = Workers(fails="keras")
    made = Runner(Console(file=io.StringIO()), start=workers).measure("train", "jax", "mlp", 3)
    assert [who for who, _ in workers.calls].count("keras") == 1, "what failed runs no more"
    (failed,) = rows.failures(made)
    assert (failed["who"], failed["section"], failed["error"]) == ("keras", "train", "a line\nthe end of it")
    (good,) = rows.comparable(made)
    assert good["polykeras_rounds"] == [2.0] * 3
    assert "keras" not in good


def test_without_ours_there_is_nothing_to_compare() -> None:
    made = Runner(Console(file=io.StringIO()), start=Workers(fails="polykeras")).measure("train", "jax", "mlp", 1)
    assert rows.comparable(made) == []
    assert markdown.table("train", made, {}) == markdown.table("summary", made, {}) == []


# ---- several runs ------------------------------------------------------------------------------------------------


def test_later_runs_win() -> None:
    old = [
        row("train", "train", polykeras=1.0),
        row("calls", "model(x)", polykeras=1.0),
        row("first", "first", keras=1.0),
    ]
    old[0]["keras"] = 5.0
    new = [row("train", "train", polykeras=2.0), row("train", "train", framework="torch", polykeras=3.0)]
    found = rows.merged([old, new])
    assert [(r["section"], r["framework"], r.get("polykeras")) for r in found] == [
        ("train", "jax", 2.0),
        ("train", "torch", 3.0),
        ("calls", "jax", 1.0),
        ("first", "jax", None),
    ]
    assert found[0]["keras"] == 5.0, "who is not measured again keeps its numbers"


def test_what_was_measured_again_did_not_fail() -> None:
    failed = rows.failure("train", "jax", "mlp", "native", "no memory")
    assert rows.failures(rows.merged([[failed], [row("train", "train", polykeras=1.0)]])) == []
    assert rows.failures(rows.merged([[failed], [row("train", "train", "gru", polykeras=1.0)]])) == [failed]
    assert rows.failures(rows.merged([[row("train", "train", polykeras=1.0)], [failed]])) == [failed]


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Pictures are not drawn, which takes seconds; their rows are noted."""
    noted: list[Any] = []
    monkeypatch.setattr(picture, "draw", lambda rows, path: noted.append(rows) or [path])
    return noted


def test_a_report_from_files(tmp_path: Path, undrawn: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    one, two, docs = tmp_path / "one.json", tmp_path / "two.json", tmp_path / "docs.md"
    one.write_text(json.dumps({"machine": {"cpu": "A"}, "rows": [row("train", "train", polykeras=1.0, keras=4.0)]}))
    two.write_text(json.dumps({"machine": {"cpu": "B"}, "rows": [row("train", "train", polykeras=1.0, keras=5.0)]}))
    docs.write_text("before\n<!-- table train -->\nold\n<!-- end -->\nafter\n<!-- table growth -->\n<!-- end -->\n")
    here, found = read_runs([one, two])
    assert (here["cpu"], here["others"], found[0]["keras"]) == ("B", "A", 5.0)
    arguments = [
        "--from",
        str(one),
        str(two),
        "--docs",
        str(docs),
        "--png",
        str(tmp_path / "p.png"),
        "--sections",
        "train",
    ]
    assert main(arguments) == 0
    assert main([*arguments, "--strict"]) == 1, "the loop by hand was not measured"
    text, said = docs.read_text(), capsys.readouterr().out
    assert "| 1 / 5 |" in text
    assert text.startswith("before\n<!-- table train -->\n|")
    assert text.endswith("<!-- end -->\nafter\n<!-- table growth -->\n<!-- end -->\n")
    assert "table growth: left as it is, no rows" in said
    assert "Keras 3 / polykeras: geometric mean 5.00" in said
    assert "this took" in said
    assert [len(drawn) for drawn in undrawn] == [1, 1]
    assert json.loads(one.read_text())["rows"][0]["keras"] == 4.0, "what is read is not written"


def test_a_failure_ends_with_one(tmp_path: Path, undrawn: list[Any]) -> None:
    file = tmp_path / "one.json"
    file.write_text(json.dumps({"machine": {}, "rows": [rows.failure("train", "jax", "mlp", "keras", "why")]}))
    assert main(["--from", str(file), "--png", str(tmp_path / "p.png")]) == 1


# ---- ratios ------------------------------------------------------------------------------------------------------


def test_ratios_are_sorted_and_need_both() -> None:
    some = [row("train", "train", t, polykeras=2.0, keras=k) for t, k in (("mlp", 6.0), ("gru", 1.0))]
    some += [row("train", "train", "conv", keras=1.0), row("train", "train", "lstm", polykeras=1.0)]
    assert [(ratio, r["task"]) for ratio, r in rows.ratios(some, "keras")] == [(0.5, "gru"), (3.0, "mlp")]
    assert rows.geometric_mean([1.0, 4.0]) == pytest.approx(2.0)


def test_places_on_an_axis() -> None:
    task, epochs = scaling.place("rows", 2**16)
    assert (task.batch, task.steps, epochs) == (256, 256, 4)
    task, epochs = scaling.place("depth", 200)
    assert (task.batch, task.steps, epochs) == (32, 16, 6)
    assert len(task.data()[0]) == 32 * 16
    steps = {width: scaling.place("width", width)[0].steps for width in scaling.AXES["width"]}
    assert steps[8] == 256 > steps[512] == 38 > steps[2048] == 16, (
        "what tells the time of a step takes few of long ones"
    )


# ---- what is asked -----------------------------------------------------------------------------------------------


def test_limits() -> None:
    kept = [
        row("growth", "50 models", polykeras=2.4),
        row("streaming", "rate of a DataLoader of tensors", polykeras=0.1),
    ]
    assert claims.unmet(kept) == []
    assert claims.unmet([row("growth", "50 models", polykeras=5.0)]) == ["50 models, mlp on jax: 5 (<= 2.5)"]
    assert len(claims.unmet([row("build", "import", "build", polykeras=0.16)])) == 1
    assert claims.unmet([row("streaming", "rate of a generator", polykeras=float("nan"))])[0].endswith("nan (>= 0.8)")


def test_ratios_that_are_asked() -> None:
    slow = [row("others", "a step", "residual", polykeras=1.0, keras=1.1)]
    (mean, least) = claims.unmet(slow)
    assert mean == "a step, Keras 3 / ours: geometric mean 1.1 (>= 1.2)"
    assert least.startswith("a step, Keras 3 / ours, subclassed residual blocks")
    assert claims.unmet([row("others", "a step", "residual", polykeras=1.0, keras=1.3)]) == []
    assert claims.unmet([row("build", "build 300 layers", "build", polykeras=1.0, keras=4.9)])[1].endswith("4.9 (>= 5)")


def test_calls_are_held_to_the_mean_of_each_framework() -> None:
    def calls(framework: str, *ratios: float) -> list[dict[str, Any]]:
        tasks = ("mlp", "conv")
        return [
            row("calls", "model(x)", task, framework, polykeras=1.0, keras=ratio)
            for task, ratio in zip(tasks, ratios, strict=True)
        ]

    assert claims.unmet([*calls("jax", 4.0, 9.0), *calls("torch", 4.9, 5.2)]) == []
    (found,) = claims.unmet([*calls("jax", 100.0, 100.0), *calls("torch", 4.0, 5.0)])
    assert found == "model(x), Keras 3 / ours on torch: geometric mean 4.47 (>= 5)"


@pytest.mark.parametrize(
    ("keras", "by_hand", "holds"), [(1.1, 0.97, False), (1.1, 0.985, True), (1.1, None, False), (0.9, 1.5, False)]
)
def test_what_bounds_a_step_may_bound_its_ratio(keras: float, by_hand: float | None, holds: bool) -> None:
    """Whether arithmetic bounds it, the docs show; here, that the best loop by hand is at most 2 % faster."""
    bound = row("train", "train", "transformer", polykeras=1.0, keras=keras) | ({"native": by_hand} if by_hand else {})
    found = [line for line in claims.unmet([bound]) if "transformer" in line and "Keras" in line]
    assert (found == []) == holds


def test_nothing_measured_is_not_all_as_asked() -> None:
    assert "all is as asked" not in printed(claims.show_unmet, [], Console, ["train"])
    good = [row("train", "train", polykeras=1.0, keras=4.0)]
    out = io.StringIO()
    assert not claims.show_unmet(good, Console(file=out, width=2000), ["train"])
    assert "not measured: train, Keras 3 tuned / ours; train, by hand / ours;" in out.getvalue()
    good[0] |= {"native": 1.5, "tuned": 2.0}
    assert claims.show_unmet(good, Console(file=out, width=2000), ["train"])
    assert not claims.show_unmet(good, Console(file=out, width=2000), ["train", "growth"])
    assert claims.not_measured(good, ["train"]) == []


def test_who_is_behind_is_said() -> None:
    assert claims.honest([row("train", "train", polykeras=1.0, keras=3.0, native=1.5)]) == []
    ours, by_hand = claims.honest([row("train", "train", "conv", polykeras=1.0, keras=0.8, native=1.6)])
    assert ours == "polykeras beaten: train conv on jax (Keras 3 0.80)"
    (tuned,) = claims.honest([row("predict", "predict", "gru", polykeras=1.0, keras=2.0, tuned=0.9)])
    assert tuned == "polykeras beaten: predict gru on jax (Keras 3 tuned 0.90)"
    assert by_hand == "by hand slower than Keras: train conv on jax (0.50)"


# ---- the check ---------------------------------------------------------------------------------------------------


def checked(loss: float, predictions: list[float], way: str) -> list[dict[str, Any]]:
    return [{"mlp": {way: [0.5, loss], f"predict: {way}": _packed(np.array(predictions, "float32"))}}]


def test_predictions_are_compared_one_by_one() -> None:
    """Their mean square is the same in both."""
    results = {"polykeras": checked(0.4, [0.1, 0.2], "polykeras"), "keras": checked(0.4, [0.2, 0.1], "keras")}
    losses, predictions = check_rows("jax", ["mlp"], results)
    assert (losses["keras"], beyond(losses)) == (0.0, [])
    assert predictions["keras"] == pytest.approx(0.1)
    assert beyond(predictions) == ["keras"]
    assert claims.unmet([losses, predictions]) == ["check, predictions, mlp on jax: Keras 3 off by 1.0e-01"]


@pytest.mark.parametrize(("factor", "bad"), [(0.5, []), (2.0, ["native"]), (float("nan"), ["native"])])
def test_losses_have_a_tolerance(factor: float, bad: list[str]) -> None:
    ours = checked(0.4, [0.1], "polykeras")
    native = checked(0.4 * (1 + factor * LOSSES), [0.1 + 0.5 * PREDICTIONS], "scan")
    losses, predictions = check_rows("jax", ["mlp"], {"polykeras": ours, "native": native})
    assert (beyond(losses), beyond(predictions), losses["native_way"]) == (bad, [], "scan")
    assert len(claims.unmet([losses])) == len(bad)
    told = markdown.table("check", [losses, predictions], {})
    assert told is not None
    assert told[2].startswith(f"| {TASKS['mlp'].label}, losses | - / ")


# ---- markdown ----------------------------------------------------------------------------------------------------

SOME = [
    row("train", "train", "mlp", "torch", polykeras=[0.1234], keras=[0.5], native=[0.2]),
    row("train", "train", "mlp", "jax", polykeras=[1.0], keras=[2.0], native=[1.0]),
    row("train", "train", "gru", "jax", polykeras=[1.0], keras=[8.0]),
    row("growth", "50 fits", polykeras=0.5, keras=3.0),
]


def test_a_table_of_models_and_frameworks() -> None:
    lines = markdown.table("train", SOME, {})
    assert lines is not None
    assert lines[0] == "| ms a step: polykeras / Keras 3 / by hand | JAX | PyTorch |"
    assert lines[2] == f"| {TASKS['mlp'].label} | 1 / 2 / 1 | 0.123 / 0.5 / 0.2 |"
    assert lines[3] == f"| {TASKS['gru'].label} | 1 / 8 / - |  |"
    assert "JAX 4.00, least 2.00; PyTorch 4.05, least 4.05" in lines[-1]


def test_tables_of_numbers() -> None:
    lines = markdown.table("growth", SOME, {})
    assert lines == [
        "| polykeras / Keras 3 | JAX |",
        "| --- | --- |",
        f"| {TASKS['mlp'].label}, 50 fits (MB) | 0.5 / 3 |",
    ]
    (named,) = markdown.table("others", [row("others", "a step", "residual", polykeras=1.0)], {})[2:]  # type: ignore[index]
    assert named.startswith("| subclassed residual blocks, GELU, AdamW, batch 64, ms a step |")
    scaled = markdown.table("scaling", [row("scaling", "1024", "rows", polykeras=1.0, keras=2.0)], {})
    assert scaled is not None
    assert scaled[:3] == ["| ms a step: polykeras / Keras 3 | JAX |", "| --- | --- |", "| rows 1,024 | 1 / 2 |"]
    assert scaled[-1].startswith("Keras 3 / polykeras: geometric mean 2.00 over 1 cells")
    told = markdown.table("machine", SOME, {"cpu": "X", "avx512f": False, "l3_bytes": 2**25, "versions": {"jax": "1"}})
    assert told is not None
    assert told[2:] == [
        "| cpu | X |",
        "| avx512f | no |",
        "| l3 | 32 MB |",
        "| jax | 1 |",
        "| load while measuring | 0.5 to 0.5 |",
    ]


def test_a_footnote_says_what_tuned_is() -> None:
    tuned = {"polykeras": 1.0, "keras": 4.0, "tuned": 2.0, "tuned_way": "32 steps"}
    some = [row("train", "train", "mlp", **tuned), row("train", "train", "gru", **tuned)]
    lines = markdown.table("train", some, {})
    assert lines is not None
    assert lines[0] == "| ms a step: polykeras / Keras 3 / Keras 3 tuned | JAX |"
    assert "Keras 3 tuned / polykeras: geometric mean 2.00" in lines[-2]
    assert lines[-1].startswith("Tuned is the best of Keras's defaults and of these arguments of `compile`")
    assert "32 steps on JAX" in lines[-1]
    assert lines[-1].endswith("The best was: 32 steps 2.")


def test_only_what_stands_between_the_markers_is_replaced() -> None:
    text = "a\n<!-- table train -->\nold\n<!-- end -->\nb\n<!-- table nonsense -->\nkept\n<!-- end -->\n<!-- table others -->\nc"
    made, said = markdown.replaced(text, SOME, {})
    assert "old" not in made
    assert made.endswith("b\n<!-- table nonsense -->\nkept\n<!-- end -->\n<!-- table others -->\nc")
    assert [s.partition(": left")[0] for s in said] == ["table nonsense", "table others"]
    assert "no <!-- end --> follows" in said[1]
    assert markdown.replaced(made, SOME, {})[0] == made, "doing it twice changes nothing"


def test_every_table_has_a_name() -> None:
    asked = "summary,train,first,predict,calls,build,memory,growth,streaming,progress,scaling,others,check,machine"
    assert set(asked.split(",")) <= set(markdown.TABLES)
    assert markdown.table("nonsense", SOME, {}) is None
    assert all(markdown.table(name, [], {}) == [] for name in markdown.TABLES)


# ---- machine, time -------------------------------------------------------------------------------------


def test_a_machine_that_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "CPU", tmp_path / "cpuinfo")
    monkeypatch.setattr(machine, "CACHES", tmp_path)
    told = machine.machine()
    assert (told["cpu"], told["avx512f"], told["l3_bytes"]) == (None, None, None)
    (tmp_path / "cpuinfo").write_text("model name\t: Some CPU\nflags\t\t: fpu avx512f\n")
    (tmp_path / "index3").mkdir()
    (tmp_path / "index3" / "level").write_text("3\n")
    (tmp_path / "index3" / "size").write_text("32768K\n")
    told = machine.machine()
    assert (told["cpu"], told["avx512f"], told["l3_bytes"]) == ("Some CPU", True, 2**25)


def test_percents_are_medians_of_ratios() -> None:
    times = [{"base": 1.0, "more": 1.1}, {"base": 2.0, "more": 2.0}, {"base": 1.0, "more": 1.2}]
    assert timing.percent_over(times, "base") == {"more": pytest.approx(10.0)}
    twice = [{"base": 1.0, "again": 3.0, "more": 4.0}]
    assert timing.percent_over(twice, "base", "again") == {"again": pytest.approx(200.0), "more": pytest.approx(100.0)}


def test_rounds_have_all_functions_in_changing_order() -> None:
    called: list[str] = []
    times = timing.in_turn({name: lambda name=name: called.append(name) for name in "abc"}, 6, warm_up=2)
    assert called[:6] == ["a", "a", "b", "b", "c", "c"]
    orders = [tuple(called[i : i + 3]) for i in range(6, 24, 3)]
    assert all(set(order) == set("abc") for order in orders)
    assert len(set(orders)) > 1
    assert [set(run) for run in times] == [set("abc")] * 6


def test_packages_get_their_bytecode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where Python is told to write none: what a fit imports first would be compiled within its first epoch."""
    package = tmp_path / "to_be_compiled"
    package.mkdir()
    (package / "__init__.py").write_text("x = 1\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    compile_sources(["to_be_compiled", "of_nobody"])
    assert list(package.rglob("*.pyc"))


def test_gains_of_paths_are_means_over_the_cells_that_they_move() -> None:
    found = {"xla": {"tensorflow": {"train": [2.0, 2.0, 1.01], "first": [0.99]}}}
    assert paths.table(found)[2] == "| xla | TensorFlow | 2.00 (2) | 1.00 (0) | - | - | - | - | yes |"
    assert "xla" in paths.paths_on("tensorflow", ["xla", "freed-memory"])
    assert paths.paths_on("jax", ["xla", "freed-memory", "all"]) == ["all", "freed-memory"]


def test_paths_are_taken_away_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYKERAS_FAST", "")
    seen: list[str] = []
    monkeypatch.setattr(paths, "run", lambda *cell: (seen.append(os.environ["POLYKERAS_FAST"]) or {"train": 1.0}, ""))
    for without in (None, "xla", "all"):
        assert paths.measured("jax", "mlp", ["train"], without) == {"train": 1.0}
    assert seen == ["1", "-xla", "0"]
