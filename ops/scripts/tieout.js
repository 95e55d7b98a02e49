// Runs a command of tieout with the options of the script that asks: $TIEOUT, the one of this repository, or that on the PATH.
"use strict";
const { spawnSync } = require("node:child_process");
const { existsSync } = require("node:fs");
const { join } = require("node:path");

exports.run = (...command) => {
  const own = join(__dirname, "..", "..", ".venv", "bin", "tieout");
  const program = process.env.TIEOUT || (existsSync(own) ? own : "tieout");
  const ended = spawnSync(program, [...command, ...process.argv.slice(2)], { stdio: "inherit" });
  if (ended.error) console.error(`error: ${program} cannot be run: ${ended.error.message}`);
  if (ended.signal) process.kill(process.pid, ended.signal);
  process.exit(ended.status ?? 20);
};
