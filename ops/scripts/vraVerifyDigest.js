// The command `tieout proofs verify`, under the name that the runbook prints.
require("./tieout.js").run("proofs", "verify");
