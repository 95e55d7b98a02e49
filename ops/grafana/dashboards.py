"""From the boards to what Grafana loads.

`python -m ops.grafana.dashboards FOLDER --runbooks URL` writes them for an installation whose runbooks lie there.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models.dashboard import DashboardLinkType, DataSourceRef, Threshold, ThresholdsMode

from ops.grafana.boards import BOARDS, Board, Query, Shown

FOLDER = Path(__file__).parent
RUNBOOKS = "docs/runbooks"
PAGE = "ads.md"
GOOD, BAD = "green", "red"
WIDE, HIGH = 12, 8


def build(board: Board, runbooks: str = RUNBOOKS) -> str:
    """Return a dashboard as JSON; `runbooks` is where its links find the pages, and can be changed in Grafana."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .tags(["tieout", "vra"])
        .time("now-24h", "now")
        .timezone("utc")
        .refresh("1m")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(dashboard.TextBoxVariable("runbooks").label("Runbooks").default_value(runbooks))
    )
    for title, anchor in board.anchors:
        made = made.link(_link(f"Runbook: {title}", anchor))
    for number, panel in enumerate(board.panels, start=1):
        made = made.with_panel((_number(panel) if panel.look == "number" else _graph(panel)).id(number))
    return json.dumps(made.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def build_all(runbooks: str = RUNBOOKS) -> dict[str, str]:
    """Return the JSON of every dashboard by the name of its file."""
    return {f"{board.uid}.json": build(board, runbooks) for board in BOARDS}


def _link(title: str, anchor: str) -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink(title)
        .type(DashboardLinkType.LINK)
        .url(f"${{runbooks}}/{PAGE}#{anchor}")
        .icon("doc")
        .tooltip("What it means, and what to do")
        .target_blank(target_blank=True)
    )


def _number(panel: Shown) -> stat.Panel:
    made = (
        stat.Panel()
        .title(panel.title)
        .description(panel.words)
        .links([_link("Runbook", panel.anchor)])
        .datasource(_source())
        .unit(panel.unit)
        .decimals(0)
        .no_value("0")
        .graph_mode(shapes.BigValueGraphMode.NONE)
        .color_mode(shapes.BigValueColorMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .span(WIDE)
        .height(HIGH)
    )
    for number, query in enumerate(panel.queries):
        made = made.with_target(_target(query, number).instant())
    return made


def _graph(panel: Shown) -> timeseries.Panel:
    legend = common.VizLegendOptions().show_legend(True).placement(shapes.LegendPlacement.BOTTOM)
    made = (
        timeseries.Panel()
        .title(panel.title)
        .description(panel.words)
        .links([_link("Runbook", panel.anchor)])
        .datasource(_source())
        .unit(panel.unit)
        .min(0)
        .legend(legend.display_mode(shapes.LegendDisplayMode.LIST))
        .tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI))
        .span(WIDE)
        .height(HIGH)
    )
    if panel.at_most is not None:
        made = made.max(panel.at_most)
    if panel.look == "bars":
        stacked = common.StackingConfig().mode(shapes.StackingMode.NORMAL)
        made = made.draw_style(shapes.GraphDrawStyle.BARS).fill_opacity(60).stacking(stacked)
    if panel.good_from is not None or panel.good_until is not None:
        made = made.thresholds(_thresholds(panel)).thresholds_style(
            common.GraphThresholdsStyleConfig().mode(shapes.GraphTresholdsStyleMode.DASHED)
        )
    for number, query in enumerate(panel.queries):
        made = made.with_target(_target(query, number).range())
    return made


def _thresholds(panel: Shown) -> dashboard.ThresholdsConfig:
    below, bound, above = (BAD, panel.good_from, GOOD) if panel.good_from is not None else (GOOD, panel.good_until, BAD)
    steps = [Threshold(value=None, color=below), Threshold(value=bound, color=above)]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _target(query: Query, number: int) -> prometheus.Dataquery:
    return (
        prometheus.Dataquery()
        .ref_id(chr(ord("A") + number))
        .datasource(_source())
        .expr(query.expr)
        .legend_format(query.legend)
    )


def _source() -> DataSourceRef:
    return DataSourceRef(type_val="prometheus", uid="${datasource}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write every dashboard into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--runbooks", default=RUNBOOKS, metavar="URL", help="where the links find the runbooks")
    chosen = parser.parse_args(arguments)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    for name, text in build_all(chosen.runbooks.rstrip("/")).items():
        (chosen.folder / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
