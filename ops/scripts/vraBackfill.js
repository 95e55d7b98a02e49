// The command `tieout backfill ads`, under the name that the runbook prints.
require("./tieout.js").run("backfill", "ads");
