// The command `tieout match ads`, under the name that the runbook prints.
require("./tieout.js").run("match", "ads");
