// The command `tieout ingest ads`, under the name that the runbook prints.
require("./tieout.js").run("ingest", "ads");
