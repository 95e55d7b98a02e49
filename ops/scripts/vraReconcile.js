// The command `tieout reconcile ads`, under the name that the runbook prints.
require("./tieout.js").run("reconcile", "ads");
