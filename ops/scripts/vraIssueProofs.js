// The command `tieout proofs issue`, under the name that the runbook prints.
require("./tieout.js").run("proofs", "issue");
