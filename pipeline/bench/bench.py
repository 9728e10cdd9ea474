"""The bench: every cell of a matrix, each backbone pass once, whatever fails."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from pathlib import Path

from frostline.pipeline.bench.cell import as_text, curve_for, fit_elsewhere, head_of, is_to_fit
from frostline.pipeline.bench.costs import costs_of
from frostline.pipeline.bench.leaderboard import (
    CurveEntry,
    Failure,
    Leaderboard,
    LeaderboardEntry,
    ScoreAgreement,
    mean_ranks,
)
from frostline.pipeline.bench.matrix import Cell, Matrix, Name
from frostline.pipeline.bench.ranking import ranked_by_dataset
from frostline.pipeline.bench.render import as_csv, as_html, as_json, as_markdown
from frostline.pipeline.bench.schedule import ExtractionGroup, pass_name
from frostline.pipeline.engines.registry import cell_fitter
from frostline.pipeline.plan.inputs import open_inputs
from frostline.pipeline.plan.lookup import required_sets
from frostline.pipeline.plan.machine import now
from frostline.pipeline.plan.make import make_plan
from frostline.pipeline.plan.plan import Plan
from frostline.pipeline.records.run import Extracted
from frostline.pipeline.report.wording import TRANSFERABILITY, chosen
from frostline.pipeline.steps.features import LazyFeatures, drop, extract_missing, extract_shared
from frostline.pipeline.steps.heads import fit_head
from frostline.pipeline.workspace import open_workspace, reopened
from frostline.stages.datasets.draws import train_size
from frostline.stages.diagnostics.transferability import Transferability, measured, transferability_of
from frostline.stages.errors import FrostlineError
from frostline.stages.evaluate import predictions, score
from frostline.stages.metrics import Predictions
from frostline.stages.records.safe_read import read_file
from frostline.stages.store import make_folder, plain, write_atomic
from frostline.stages.targets.registry import TARGETS

log = logging.getLogger("frostline")
_WORK = f"{fit_elsewhere.__module__}:{fit_elsewhere.__name__}"
_SAMPLE = 2000
_SCORES = ("logme", "h_score_shrunk", "gbc")


@dataclass(eq=False)
class _Found:
    """What the passes so far gave. ``answers``: of each entry; ``scores``: without a fit, by dataset and the rest.

    ``elsewhere``: cells whose heads were fitted on other machines.
    """

    entries: list[LeaderboardEntry] = field(default_factory=list)
    answers: list[Predictions] = field(default_factory=list)
    curves: list[CurveEntry] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    scores: dict[tuple[str, str, str], Transferability] = field(default_factory=dict)
    quarantined: set[tuple[str, str, str]] = field(default_factory=set)
    computed: int = 0
    fitted: int = 0
    elsewhere: set[Name] = field(default_factory=set)


def bench(matrix: Matrix, groups: Sequence[ExtractionGroup], *, all_pairs: bool = False) -> Leaderboard:
    """Run every cell of a planned matrix, write the leaderboard after each, and return it.

    ``all_pairs``: every two entries of a dataset are compared, not only the best with each other one.
    What fails is among ``failures``, and the rest goes on. Features, heads and curves are cached as they are
    made: the same matrix resumes where it was interrupted.
    """
    started, found = time.perf_counter(), _Found()
    cells = [cell for one in groups for cell in one.cells]
    fewest = _pending_in(_folder(matrix))
    for done, _ in enumerate(_run_all(groups, found), 1):
        pending = tuple(cell.name for cell in cells[done:])
        if pending and (fewest is None or len(pending) <= fewest):
            _write(_board(matrix, found, pending, started))
    board = _board(matrix, found, (), started, all_pairs=all_pairs)
    _write(board)
    return board


def _folder(matrix: Matrix) -> Path:
    return open_workspace(matrix.cells[0].settings.data_dir).root / "bench" / f"{plain(matrix.name)}-{matrix.digest}"


def _pending_in(folder: Path) -> int | None:
    """Return how many cells the leaderboard that is there lacks, so that none with fewer is laid over it."""
    try:
        return len(json.loads(read_file(folder / "leaderboard.json"))["pending"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _board(
    matrix: Matrix, found: _Found, pending: tuple[Name, ...], started: float, *, all_pairs: bool = False
) -> Leaderboard:
    """Return what was found; comparisons, which are corrected for their number, once nothing is pending."""
    ranked = [] if pending else list(ranked_by_dataset(found.entries, found.answers, all_pairs=all_pairs))
    entries = tuple(found.entries) if pending else tuple(entry for own in ranked for entry in own.entries)
    return Leaderboard(
        matrix.name,
        _folder(matrix),
        entries,
        tuple(found.curves),
        tuple(found.failures),
        pending,
        mean_ranks(entries),
        tuple(_predicted(found)),
        len(found.quarantined),
        found.computed,
        found.fitted,
        round(time.perf_counter() - started, 1),
        now(),
        tuple(own.comparison for own in ranked if own.comparison),
    )


def _write(board: Leaderboard) -> None:
    make_folder(board.folder)
    for ending, render in (("md", as_markdown), ("csv", as_csv), ("json", as_json), ("html", as_html)):
        write_atomic(board.folder / f"leaderboard.{ending}", render(board).encode("utf-8", "backslashreplace"))


def _run_all(groups: Sequence[ExtractionGroup], found: _Found) -> Iterator[Cell]:
    """Run all cells and yield each when it is done; layers of one network share its pass."""
    for _, layers in groupby(groups, lambda one: one.cells[0].network):
        several = list(layers)
        _share([one for one in several if not one.failure], found)
        yield from chain.from_iterable(_run(one, found) for one in several)


def _share(layers: Sequence[ExtractionGroup], found: _Found) -> None:
    """Compute the features of several layers at once, as far as that can be; each pass does the rest, or fails."""
    if len(layers) < 2:
        return
    try:
        plans = [make_plan(open_inputs(one.cells[0].settings, one.dataset)) for one in layers]
        if len({plan.picked.mode for plan in plans}) == 1:  # a pass has one kind of images
            found.computed += extract_shared(plans)
    except Exception as error:  # a user's network may raise anything
        log.info(
            "the layers of %s are extracted one by one, without a shared pass: %s",
            layers[0].cells[0].settings.backbone,
            error,
        )


def _run(one: ExtractionGroup, found: _Found) -> Iterator[Cell]:
    """Run the cells of one pass and yield each when it is done."""
    if one.failure:
        yield from _all_failed(one, one.failure, found)
        return
    try:
        plan = make_plan(open_inputs(one.cells[0].settings, one.dataset))
        features, loaded = _features(plan), LazyFeatures(plan)
        _spread(one, plan, found)
    except Exception as error:  # a user's network may raise anything
        yield from _all_failed(one, error, found)
        return
    found.computed += sum(e.computed for e in features)
    found.quarantined |= {(one.cells[0].name.dataset, e.split, bad.id) for e in features for bad in e.quarantined}
    for cell in one.cells:
        try:
            _run_cell(cell, plan, features, loaded, found)
        except Exception as error:  # so may an estimator
            log.error("%s failed: %s", cell.name, _reason(error))
            found.failures.append(_failed(cell, error))
        yield cell
    _keep_scores(one.cells[0], loaded, found)


def _spread(one: ExtractionGroup, plan: Plan, found: _Found) -> None:
    """Have the engine fit heads on other machines, if it does that; what fails there is tried here, and said."""
    fit = cell_fitter(one.cells[0].settings.engine, _WORK)
    cells = [cell for cell in one.cells if fit and is_to_fit(cell.settings, plan)]
    if fit is None or len(cells) < 2:
        return
    problems = fit([as_text(cell.settings) for cell in cells])
    reopened(plan.settings.data_dir)
    for cell, problem in zip(cells, problems, strict=True):
        if problem:
            log.info("%s was not fitted elsewhere: %s", cell.name, problem)
        elif not cell.drawn:
            found.elsewhere.add(cell.name)


def _all_failed(one: ExtractionGroup, error: Exception, found: _Found) -> Iterator[Cell]:
    log.error("%s failed: %s", pass_name(one.cells[0]), _reason(error))
    for cell in one.cells:
        found.failures.append(_failed(cell, error))
        yield cell


def _failed(cell: Cell, error: Exception) -> Failure:
    code = error.exit_code if isinstance(error, FrostlineError) else FrostlineError.exit_code
    return Failure(cell.name, " ".join(_reason(error).split()), code)


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, FrostlineError) else f"{type(error).__name__}: {error}"


def _features(plan: Plan) -> tuple[Extracted, ...]:
    """Return a plan's features, what is missing or damaged of them computed."""
    for found in [request.existing for request in required_sets(plan) if request.existing]:
        for damaged in found.damaged():
            drop(found, damaged)
    return extract_missing(plan)


def _run_cell(cell: Cell, plan: Plan, features: tuple[Extracted, ...], loaded: LazyFeatures, found: _Found) -> None:
    spec, draw = head_of(cell.settings, plan)
    log.info("%s%s", cell.name, ", random subsets of the training data" if cell.drawn else "")
    if draw:
        found.curves.append(CurveEntry(cell.name, curve_for(plan, spec, draw, loaded)))
        return
    fitted = fit_head(plan, spec, loaded)
    answers = predictions(fitted.head, loaded.test)
    chosen_by = fitted.selection
    evaluation = score(
        answers, seed=cell.settings.seed, temperature=chosen_by.temperature, thresholds=chosen_by.thresholds
    )
    entry = LeaderboardEntry(
        cell.name,
        cut=features[0].key.backbone.layer,
        value=chosen(fitted.selection),
        scores={name: evaluation.scores[name] for name in TARGETS.load(plan.kind).table},
        width=features[0].width,
        costs=costs_of(plan, features),
        fit_seconds=fitted.seconds,
        kind=plan.kind,
        groups=evaluation.groups,
    )
    found.entries.append(entry)
    found.answers.append(answers)
    found.fitted += not fitted.cached or cell.name in found.elsewhere


def _keep_scores(cell: Cell, loaded: LazyFeatures, found: _Found) -> None:
    """Score the features of a sample of the training rows without a fit, where that can be."""
    try:
        train = loaded.train[0]
        some = train.masked(train_size(train.targets, train.digests, _SAMPLE, cell.settings.seed))
        found.scores[_pass_of(cell.name)] = transferability_of(some.X, some.targets)
    except FrostlineError as error:
        log.warning("%s: no transferability scores: %s", pass_name(cell), error)


def _predicted(found: _Found) -> Iterator[ScoreAgreement]:
    """Yield how well the scores without a fit order each dataset's backbones, by the first head's main scores."""
    for dataset in dict.fromkeys(entry.name.dataset for entry in found.entries):
        entries = [entry for entry in found.entries if entry.name.dataset == dataset]
        head = entries[0].name.head
        own = [e for e in entries if e.name.head == head and _pass_of(e.name) in found.scores]
        for name in _SCORES:
            values = [getattr(found.scores[_pass_of(e.name)], name) for e in own]
            agreement = None if None in values else measured(values, [e.main.value for e in own])
            if agreement:
                yield ScoreAgreement(dataset, TRANSFERABILITY[name], head, agreement)


def _pass_of(name: Name) -> tuple[str, str, str]:
    return name.dataset, name.backbone, name.layer
