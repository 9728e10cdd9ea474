"""What a run would do: ``--dry-run``, as JSON values and as a table."""

from __future__ import annotations

from typing import Any

from frostline.pipeline.plan.plan import Plan
from frostline.pipeline.report.wording import size


def plan_json(plan: Plan) -> list[dict[str, Any]]:
    """Return the feature sets that are needed as JSON values: cached, reusable, to compute, time and disk."""
    return [
        {
            "split": need.samples.split,
            "view": need.key.view,
            "rows": len(need.samples),
            "cached": len(need.samples) - need.missing_rows,
            "reusable": need.missing_rows - need.rows_to_compute,
            "to_compute": need.rows_to_compute,
            "bytes": need.bytes_needed,
            "seconds": plan.seconds(need),
            "changes": list(need.changes),
            "key": need.key.fields(),
        }
        for need in plan.needs()
    ]


def plan_table(plan: Plan) -> str:
    """Return the same for a terminal."""
    lines = [f"{'split':6} {'view':6} {'rows':>9} {'cached':>9} {'reusable':>9} {'to compute':>10} {'disk':>9}  time"]
    for row in plan_json(plan):
        seconds = "nothing to do" if not row["to_compute"] else "unknown, not run this way before"
        if row["to_compute"] and row["seconds"] is not None:
            seconds = f"about {row['seconds']:,.0f} s"
        counts = f"{row['rows']:>9,} {row['cached']:>9,} {row['reusable']:>9,} {row['to_compute']:>10,}"
        lines.append(f"{row['split']:6} {row['view']:6} {counts} {size(row['bytes']):>9}  {seconds}")
        lines += [f"       not the cached features: {change}" for change in row["changes"]]
    return "\n".join(lines)
