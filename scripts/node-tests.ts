import { parseArgs } from "node:util";
import { DEVICES, NODE_TESTS, nodeTestNames, runNodeTest } from "../test/support/node-tests.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { device: { type: "string", default: "reference" } },
});
const device = DEVICES[values.device];
if (device === undefined) {
  console.error(`no device '${values.device}'; there are: ${Object.keys(DEVICES).join(", ")}`);
  process.exit(2);
}
const names = nodeTestNames(positionals);
if (names.length === 0) {
  console.error(`no test in ${NODE_TESTS} is named so`);
  process.exit(2);
}
let failed = 0;
for (const name of names) {
  const { failure } = await runNodeTest(name, device);
  if (failure === null) continue;
  failed++;
  console.log(`${name}: ${failure}`);
}
console.log(`${names.length - failed}/${failed} of ${names.length}`);
process.exitCode = failed === 0 ? 0 : 1;
