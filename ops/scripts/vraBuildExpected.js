// The command `tieout expected ads`, under the name that the runbook prints.
require("./tieout.js").run("expected", "ads");
