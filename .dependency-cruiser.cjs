/** Imports point down docs/architecture.md's list of layers; lower numbers are lower layers. */
const LAYERS = [
  ["tensor"],
  ["sparsity"],
  ["layouts"],
  ["graph"],
  ["ops"],
  ["formats"],
  ["compiler"],
  ["backends"],
  ["nn", "optim"],
  ["prune"],
  ["quantize", "train"],
  ["runtime"],
  ["cli", "studio"],
];

const upward = LAYERS.flatMap((layer, level) => {
  const above = LAYERS.slice(level + 1).flat();
  const beside = (name) => layer.filter((other) => other !== name);
  return layer.map((name) => ({
    name: `${name}-points-down`,
    comment: `src/${name} may import only from the layers below it`,
    severity: "error",
    from: { path: `^src/${name}/` },
    to: { path: `^src/(${[...above, ...beside(name)].join("|") || "(?!)"})/` },
  }));
});

module.exports = {
  forbidden: [
    ...upward,
    ...[
      ["wasm", "webgpu"],
      ["webgpu", "wasm"],
      ["specs", "(wasm|webgpu)"],
    ].map(([device, other]) => ({
      name: `${device}-knows-no-other-device`,
      comment: "what devices share is in src/backends/specs",
      severity: "error",
      from: { path: `^src/backends/${device}/` },
      to: { path: `^src/backends/${other}/` },
    })),
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } } },
    {
      name: "core-is-for-browsers",
      comment: "node: modules only behind the seams that say so",
      severity: "error",
      from: { path: "^src/(?!cli/|.*[./]node\\.ts$|.*\\.test\\.ts$)" },
      to: { dependencyTypes: ["core"] },
    },
  ],
  options: {
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    exclude: { path: "\\.test\\.ts$" },
  },
};
