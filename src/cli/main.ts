#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { installNode } from "../runtime/node.js";
import { addBench } from "./commands/bench.js";
import { addCompare } from "./commands/compare.js";
import { addInspect } from "./commands/inspect.js";
import { addRun } from "./commands/run.js";
import { addSparsify } from "./commands/sparsify.js";
import { EXIT, report } from "./exit.js";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

const program = new Command("nonzero")
  .description("Prune neural networks, store them sparse, and run only their nonzeros.")
  .version(version)
  .exitOverride()
  .showHelpAfterError("(--help says what there is)")
  .addHelpText(
    "after",
    `
Results go to stdout, progress and errors to stderr. Exit codes: 0 done; 1 a check does not hold; 2 wrong arguments; 3 an input is missing,
malformed or does not fit; 4 not supported; 5 reading or writing failed; 130 stopped.`,
  );
addInspect(program);
addSparsify(program);
addRun(program);
addCompare(program);
addBench(program);
for (const command of program.commands) command.exitOverride();

installNode();
try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  else process.exitCode = report(error, process.argv.includes("--json"));
}
