import { type Attribute, type Graph, type Node, subgraphsOf, Value } from "../../graph/index.js";
import { observeName } from "../../ops/index.js";
import { type Site, siteLabel } from "./sites.js";

/**
 * The part of a graph that computes the activations at `sites`, each passing an Observe node with the site's id on its way to its reader. Its
 * outputs are there to keep that part alive.
 */
export function observedGraph(graph: Graph, sites: ReadonlyMap<Site, number>): Graph {
  const byNode = new Map<Node, { readonly site: Site; readonly id: number }[]>();
  for (const [site, id] of sites) byNode.set(site.node, [...(byNode.get(site.node) ?? []), { site, id }]);
  const outputs = new Set<Value>();
  for (const { node, outermost } of sites.keys()) {
    if (outermost !== node) for (const output of outermost.outputs) if (output) outputs.add(output);
  }
  const rewrite = (inner: Graph, isOutermost: boolean): Graph => {
    const nodes = inner.nodes.flatMap((node): Node[] => {
      const inside = withSubgraphs(node, (sub) => rewrite(sub, false));
      const inputs = [...node.inputs];
      const observing = (byNode.get(node) ?? []).map(({ site, id }): Node => {
        const seen = new Value(`${site.value.name}, observed`, site.value.type);
        inputs[site.input] = seen;
        if (isOutermost) outputs.add(seen);
        const attributes = new Map<string, Attribute>([["id", { kind: "int", value: id }]]);
        return { ...observeName, version: 1, name: siteLabel(site), inputs: [site.value], outputs: [seen], attributes };
      });
      return [...observing, observing.length > 0 ? { ...inside, inputs } : inside];
    });
    return { ...inner, nodes };
  };
  const rewritten = rewrite(graph, true);
  return { ...rewritten, outputs: [...outputs] };
}

function withSubgraphs(node: Node, change: (graph: Graph) => Graph): Node {
  if (subgraphsOf(node).length === 0) return node;
  const attributes = new Map<string, Attribute>();
  for (const [name, attribute] of node.attributes)
    attributes.set(name, attribute.kind === "graph" ? { kind: "graph", value: change(attribute.value) } : attribute);
  return { ...node, attributes };
}
