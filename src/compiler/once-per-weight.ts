import type { Constant, Node } from "../graph/index.js";

/** What `make` gives, once for all nodes of one operator and the same attributes that read the same constants; `parts` begins with the codes. */
export type OncePerWeight<T> = (node: Node, parts: readonly [Constant, ...(Constant | null)[]], make: () => T) => T;

interface Made<T> {
  readonly key: string;
  readonly parts: readonly (Constant | null)[];
  readonly made: T;
}

export function oncePerWeight<T>(): OncePerWeight<T> {
  const known = new Map<Constant, Made<T>[]>();
  return (node, parts, make) => {
    const key = keyOf(node);
    const list = known.get(parts[0]) ?? [];
    known.set(parts[0], list);
    const found = list.find((other) => other.key === key && parts.every((part, i) => part === other.parts[i]));
    if (found !== undefined) return found.made;
    const made = make();
    list.push({ key, parts, made });
    return made;
  };
}

const keyOf = ({ op, attributes }: Node): string =>
  [op, ...[...attributes].map(([name, { value }]) => `${name}=${value}`).sort()].join(" ");
