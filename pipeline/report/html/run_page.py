"""What the page of one run says, from the answer down to its provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from frostline.pipeline.records.run import called
from frostline.pipeline.report.html import formatting, plots
from frostline.pipeline.report.html.artifacts import Evidence
from frostline.pipeline.report.html.health import health
from frostline.pipeline.report.html.mistakes import Album, confusion_table, pairs, worst
from frostline.pipeline.report.html.projection import plane
from frostline.pipeline.report.html.ranking import ranking
from frostline.pipeline.report.html.record import Run, Scored
from frostline.pipeline.report.html.thumbnails import Thumbnails
from frostline.pipeline.report.wording import decoding_limit, selection_lines
from frostline.stages.errors import counted
from frostline.stages.metrics.compare import Comparison

MAPPED = 2000
_BARS, _LABELLED = 30, 20
_WARNING = "WARNING "


def story(run: Run, evidence: Evidence, compared: Comparison | None = None) -> dict[str, Any]:
    """Return everything that the template of a run's page shows; ``compared``: its heads, if they were already."""
    leader = run.leader
    ranked = ranking(run.scored, found=compared) if len(run.scored) > 1 else None
    return {
        "run": run,
        "made": formatting.moment(run.record["made"]),
        "title": f"{run.record['dataset']}: {_subject(run)}",
        "answer": _answer(run, leader, ranked) if leader else _answer_of_curves(run),
        "ranking": ranked,
        "leader": leader,
        "scores": formatting.score_rows(leader.scores) if leader else [],
        "setup": _setup(run, leader),
        "errors": _errors(run, leader, evidence) if leader else None,
        "reliability": _reliability(leader.record["evaluation"]) if leader else None,
        "map": _map(run, evidence),
        "curves": _curves(run),
        "data": _data(run, leader),
        "command": formatting.command(run.record["settings"]),
        "health": health(evidence),
        "look": _health_command(run),
    }


def _subject(run: Run) -> str:
    heads = dict.fromkeys(str(probe["name"]) for probe in run.record["probes"])
    return f"{', '.join(heads)} on {run.record['probes'][0]['backbone']}"


def _answer(run: Run, leader: Scored, ranked: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the first lines: the accuracy, its interval, what it may be held against, and warnings."""
    rows = leader.record["evaluation"]["rows"]
    value, interval = formatting.valued("accuracy", leader.scores["accuracy"])
    commonest = max(one["support"] for one in leader.record["evaluation"]["classes"])
    return {
        "value": value,
        "claim": f"of {counted(rows, 'test sample')} {'is' if rows == 1 else 'are'} named right",
        "interval": f"95 % interval {interval}",
        "by": _by(leader.head, leader.backbone),
        "context": [
            f"Naming the commonest class every time would be right for {formatting.share(commonest, rows)}.",
            *_baselines(run, leader, ranked["verdicts"] if ranked else {}),
            *_picked(run),
        ],
        "warnings": [f"{one.name}: {line}" for one in run.scored for line in _warnings(one)],
    }


def _answer_of_curves(run: Run) -> dict[str, Any]:
    """Return the first lines of a run whose heads are all fitted on draws of the training rows."""
    probe = max(
        (probe for probe in run.record["probes"] if probe["curve"]),
        key=lambda probe: float(probe["curve"]["points"][-1]["spread"]["mean"]),
    )
    last = probe["curve"]["points"][-1]
    unit = "training samples of each class" if probe["curve"]["unit"] == "shots" else "training samples"
    spread = last["spread"]
    interval = "one draw" if spread["low"] is None else f"95 % interval {_ends(spread)}"
    return {
        "value": f"{100 * spread['mean']:.1f} %",
        "claim": f"of the test samples are named right after {last['size']:,} {unit}",
        "interval": f"{interval}, mean of {counted(spread['draws'], 'draw')}",
        "by": _by(probe["name"], probe["backbone"]),
        "context": [],
        "warnings": [],
    }


def _by(head: str, backbone: str) -> str:
    return f"The head is {head}, on frozen features of {backbone}."


def _ends(spread: Mapping[str, float]) -> str:
    return f"{100 * spread['low']:.1f} – {100 * min(spread['high'], 1.0):.1f} %"


def _baselines(run: Run, leader: Scored, verdicts: Mapping[frozenset[str], str]) -> list[str]:
    own = run.record["probes"][0]["backbone"]
    best: dict[str, Scored] = {}
    for one in run.scored:
        if one.backbone != own and (one.backbone not in best or one.accuracy > best[one.backbone].accuracy):
            best[one.backbone] = one
    lines = []
    for one in best.values():
        said = verdicts.get(frozenset((leader.name, one.name)))
        ending = f": {said}." if said else "."
        lines.append(f"{one.name} alone reaches {100 * one.accuracy:.1f} %{ending}")
    return lines


def _picked(run: Run) -> list[str]:
    own = [one for one in run.scored if one.backbone == run.record["probes"][0]["backbone"]]
    if len(own) < 2:
        return []
    return [f"It is the best of {len(own)} heads on these very samples, so a little of it is luck."]


def _warnings(one: Scored) -> list[str]:
    lines = [line.removeprefix(_WARNING) for line in selection_lines(one.selection) if line.startswith(_WARNING)]
    return [line[0].lower() + line[1:] for line in lines]


def _setup(run: Run, leader: Scored | None) -> dict[str, Any]:
    """Return what was run, as terms and descriptions, and the validation curve."""
    record, [features, *_] = run.record, run.features("test")
    key, rows = features["key"], record["rows"]
    pooled = "" if key["pool"] == "none" else f", {key['pool']} pooling"
    resized = "size as it is" if key["resize"] is None else f"resized to {formatting.sized(key['resize'])}"
    cropped = "" if key["crop"] is None else f", centre {formatting.sized(key['crop'])} cropped"
    views = ", ".join(one["view"] for one in run.features("test"))
    terms = [
        (
            "Dataset",
            f"{record['dataset']}: {counted(len(run.classes), 'class')}, {rows['train']:,} training and "
            f"{rows['test']:,} test samples",
        ),
        ("Backbone", f"{key['backbone']}, never trained here; {features['width']:,} features"),
        ("Layer", f"{key['layer']}{pooled}"),
        ("Weights", f"SHA-256 {key['weights'][:16]}…" if key["weights"] else "none"),
        ("Images", f"{resized}{cropped}, {key['interpolation']}; views: {views}"),
        ("Arithmetic", f"{key['precision']}, stored as {key['dtype']}"),
        *[("Speed", line) for line in _limits(record["probes"][0]["features"])],
    ]
    if leader is None:
        return {"terms": terms, "figure": None}
    how = [line for line in selection_lines(leader.selection) if not line.startswith(_WARNING)]
    value = formatting.chosen(leader.selection)
    terms.append(("Head", f"{leader.head}{', ' + value if value else ''}"))
    terms += [("Chosen", line) for line in how]
    drawn = len(leader.selection["grid"]) > 1 and len(leader.selection["accuracy"]) > 1
    return {"terms": terms, "figure": plots.selection(leader.selection) if drawn else None}


def _limits(sets: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return of which feature sets decoding was the limit, whenever they were computed."""
    lines = []
    for one in sets:
        speed = one["pace"].get("rows_per_second")
        limit = decoding_limit(one["pace"], one["rows"] / speed if speed else 0.0)
        lines += [f"{one['split']} ({one['view']}): {limit}"] if limit else []
    return lines


def _errors(run: Run, leader: Scored, evidence: Evidence) -> dict[str, Any]:
    """Return the mistakes: by class, by pair of classes, and one by one."""
    evaluation = leader.record["evaluation"]
    counts = np.array(evaluation["confusion"], np.int64)
    album = Album(leader.answers, Thumbnails(evidence.test)) if leader.answers else None
    return {
        "wrong": _number_wrong(int(counts.sum() - np.trace(counts))),
        "table": confusion_table(counts, run.classes),
        "classes": _bars(evaluation["classes"]),
        "pairs": pairs(counts, run.classes, leader.answers, album),
        "worst": worst(leader.answers, album),
        "fault": leader.fault,
        "no_pictures": evidence.no_samples,
        "probabilistic": leader.answers is not None and leader.answers.probabilistic,
    }


def _number_wrong(n: int) -> str:
    return f"{counted(n, 'test sample')} {'is' if n == 1 else 'are'}" if n else "No test sample is"


def _bars(classes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the chart of the worst classes, of those that have test samples."""
    tested = sorted((one for one in classes if one["support"]), key=lambda one: float(one["recall"]["value"]))
    absent = [one["name"] for one in classes if not one["support"]]
    shown = tested[:_BARS]
    return {
        "figure": plots.by_class(shown) if shown else None,
        "shown": len(shown),
        "left_out": len(tested) - len(shown),
        "absent": absent[:_BARS],
        "more_absent": max(0, len(absent) - _BARS),
    }


def _reliability(evaluation: Mapping[str, Any]) -> dict[str, Any] | None:
    bins, calibrated, scores = (evaluation[n] for n in ("reliability", "reliability_calibrated", "scores"))
    if not bins:
        return None
    gap = sum(one["rows"] * (one["accuracy"] - one["confidence"]) for one in bins) / evaluation["rows"]
    points = f"{100 * abs(gap):.1f} points"
    surer, less = f"is {points} surer than it is right", f"is right {points} more often than it says"
    said = f"On average the head {surer if gap < 0 else less}."
    temperature = evaluation["temperature"]
    mended = ""
    if temperature and "ece_calibrated" in scores:
        before, after = (formatting.valued("ece", scores[name])[0] for name in ("ece", "ece_calibrated"))
        helps = scores["ece_calibrated"]["value"] < scores["ece"]["value"]
        effect = "takes the calibration error from" if helps else "does not help here: calibration error"
        mended = (
            f"Dividing log p by T = {temperature:.2f}, learned on held-out training samples, {effect} "
            f"{before}{'' if helps else ' before,'} {'to ' if helps else ''}{after}{'' if helps else ' after'}."
        )
    return {"figure": plots.reliability(bins, calibrated), "said": said, "mended": mended}


def _map(run: Run, evidence: Evidence) -> dict[str, Any]:
    if evidence.X is None or evidence.y is None:
        return {"figure": None, "why": evidence.no_features}
    found = plane(evidence.X, evidence.y)
    if found is None:
        return {"figure": None, "why": "Too few test samples or classes for a map that means anything."}
    points, y = found
    n = len(np.unique(y))
    drawn = plots.scatter(points, y, run.classes, _LABELLED)
    return {"figure": drawn, "shown": len(y), "learned": len(evidence.y) - len(y), "others": max(0, n - _LABELLED)}


def _curves(run: Run) -> dict[str, Any] | None:
    found = [(called(p["name"], p["backbone"]), p["curve"]) for p in run.record["probes"] if p["curve"]]
    if not found:
        return None
    rows = [
        {
            "name": name,
            "size": point["size"],
            "unit": "per class" if curve["unit"] == "shots" else "in all",
            "draws": point["spread"]["draws"],
            "mean": f"{100 * point['spread']['mean']:.1f} %",
            "std": f"{100 * point['spread']['std']:.1f}" if point["spread"]["std"] is not None else "–",
            "range": f"{100 * min(point['accuracy']):.1f} – {100 * max(point['accuracy']):.1f} %",
        }
        for name, curve in found
        for point in curve["points"]
    ]
    return {"figure": plots.learning_curves(found), "rows": rows}


def _data(run: Run, leader: Scored | None) -> dict[str, Any]:
    """Return what is odd about the samples, as far as a run counts it."""
    twice = run.record["duplicates"]
    lines = [
        ("Test samples that are also in train", twice["across"]),
        ("Samples that repeat within train", twice["within_train"]),
        ("Samples that repeat within test", twice["within_test"]),
        ("Identical samples with different labels", twice["conflicting"]),
        ("Samples that can’t be used, left out", run.record["quarantined"]),
    ]
    bad = {one["id"]: one["reason"] for p in run.record["probes"] for f in p["features"] for one in f["quarantined"]}
    support = [one["support"] for one in leader.record["evaluation"]["classes"]] if leader else []
    return {
        "lines": lines,
        "quarantined": list(bad.items())[:20],
        "more_quarantined": max(0, len(bad) - 20),
        "notes": run.record["notes"],
        "balance": _balance(support),
    }


def _balance(support: Sequence[int]) -> str:
    if not support:
        return ""
    low, high = min(support), max(support)
    return f"{low:,}" if low == high else f"{low:,} – {high:,}"


def _health_command(run: Run) -> str:
    from frostline.pipeline.settings.models import ExtractSettings

    settings = {n: v for n, v in run.record["settings"].items() if n in ExtractSettings.model_fields}
    return formatting.command(settings).replace("frostline run", "frostline health", 1)
