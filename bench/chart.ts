/** One group of bars: a label and a value for each series. */
export interface Group {
  readonly label: string;
  readonly values: readonly (number | null)[];
}

/** A line across a chart at a value, with what it says. */
export interface Mark {
  readonly value: number;
  readonly label: string;
}

const WIDTH = 760;
/** Room for labels, at least and at most. */
const LABELS = [170, 280] as const;
const FIGURES = 60;
const BAR = 14;
const GAP = 12;
const TOP = 64;

/** Text for SVG. */
const escaped = (text: string): string => text.replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);

const STYLE = `<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.figure, .one { font-size: 11px; fill: #59636e }
.series0 { fill: #0969da; stroke: #0969da } .series1 { fill: #8250df; stroke: #8250df }
.series2 { fill: #1a7f37; stroke: #1a7f37 } .series3 { fill: #bc4c00; stroke: #bc4c00 }
polyline { fill: none !important; stroke-width: 2 } rect { stroke: none !important }
line { stroke: #59636e; stroke-dasharray: 3 3 } .grid { stroke: #d1d9e0; stroke-dasharray: none }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.figure, .one { fill: #9198a1 }
.series0 { fill: #4493f8; stroke: #4493f8 } .series1 { fill: #ab7df8; stroke: #ab7df8 }
.series2 { fill: #3fb950; stroke: #3fb950 } .series3 { fill: #f0883e; stroke: #f0883e }
line { stroke: #9198a1 } .grid { stroke: #3d444d }
}
</style>`;

const CHARACTER = 7;

/** Names of the series, each after a square of its colour. */
function legend(series: readonly string[], left: number): string[] {
  let x = left;
  return series.map((name, s) => {
    const at = x;
    x += 18 + CHARACTER * name.length + 20;
    return `<rect class="series${s}" x="${at}" y="34" width="12" height="12" rx="2"/><text class="label" x="${at + 18}" y="44">${escaped(name)}</text>`;
  });
}

const drawing = (title: string, height: number, left: number, parts: readonly string[]): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(title)}">
${STYLE}
<text class="title" x="${left}" y="20">${escaped(title)}</text>
${parts.join("\n")}
</svg>
`;

/**
 * Horizontal bars as an SVG that reads on light and dark grounds: `groups` of one bar a series, a line at 1 that says what 1 is, and
 * others at `marks`. Values are ratios; four series at most.
 */
export function barChart(
  title: string,
  one: string,
  series: readonly string[],
  groups: readonly Group[],
  marks: readonly Mark[] = [],
): string {
  const all = groups.flatMap(({ values }) => values.map((value) => value ?? 0));
  const longest = Math.max(...groups.map(({ label }) => label.length));
  const labels = Math.min(LABELS[1], Math.max(LABELS[0], CHARACTER * longest + 24));
  const scale = (WIDTH - labels - FIGURES) / Math.max(1, ...marks.map(({ value }) => value), ...all);
  const pitch = series.length * BAR + GAP;
  const height = TOP + groups.length * pitch + 24;
  const bars = groups.flatMap(({ label, values }, g) => {
    const top = TOP + g * pitch;
    const middle = top + (series.length * BAR) / 2 + 4;
    return [
      `<text class="label" x="${labels - 10}" y="${middle}" text-anchor="end">${escaped(label)}</text>`,
      ...values.flatMap((value, s) => {
        if (value === null) return [];
        const y = top + s * BAR;
        const width = (value * scale).toFixed(1);
        return [
          `<rect class="series${s}" x="${labels}" y="${y}" width="${width}" height="${BAR - 2}" rx="2"/>`,
          `<text class="figure" x="${(labels + value * scale + 6).toFixed(1)}" y="${y + BAR - 4}">${value.toFixed(2)}×</text>`,
        ];
      }),
    ];
  });
  const lines = [{ value: 1, label: one }, ...marks].flatMap(({ value, label }) => {
    const x = (labels + value * scale).toFixed(1);
    return [
      `<line x1="${x}" y1="${TOP - 6}" x2="${x}" y2="${height - 20}"/>`,
      `<text class="one" x="${x}" y="${height - 6}" text-anchor="middle">${escaped(label)}</text>`,
    ];
  });
  return drawing(title, height, labels, [...legend(series, labels), ...bars, ...lines]);
}

/** A line of a chart: points by x, ascending. */
export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** Where an axis has its numbers, in its own units, and what they say. */
export interface Ticks {
  readonly at: readonly (readonly [value: number, label: string])[];
  readonly title: string;
}

const PLOT = { left: 70, right: 24, top: 64, height: 300 };

/** Lines over logarithmic axes, four at most, with horizontal lines at `marks`; what lies outside the ticks is left out. */
export function lineChart(title: string, x: Ticks, y: Ticks, lines: readonly Line[], marks: readonly Mark[]): string {
  const axis = ({ at }: Ticks, from: number, to: number) => {
    const [low, high] = [Math.log(at[0]![0]), Math.log(at.at(-1)![0])];
    return (value: number): number => from + ((Math.log(value) - low) / (high - low)) * (to - from);
  };
  const bottom = PLOT.top + PLOT.height;
  const px = axis(x, PLOT.left, WIDTH - PLOT.right);
  const py = axis(y, bottom, PLOT.top);
  const inside = ({ at }: Ticks, value: number): boolean => value >= at[0]![0] && value <= at.at(-1)![0];
  const grid = [
    ...x.at.flatMap(([value, label]) => [
      `<line class="grid" x1="${px(value).toFixed(1)}" y1="${PLOT.top}" x2="${px(value).toFixed(1)}" y2="${bottom}"/>`,
      `<text class="one" x="${px(value).toFixed(1)}" y="${bottom + 16}" text-anchor="middle">${escaped(label)}</text>`,
    ]),
    ...y.at.flatMap(([value, label]) => [
      `<line class="grid" x1="${PLOT.left}" y1="${py(value).toFixed(1)}" x2="${WIDTH - PLOT.right}" y2="${py(value).toFixed(1)}"/>`,
      `<text class="one" x="${PLOT.left - 8}" y="${(py(value) + 4).toFixed(1)}" text-anchor="end">${escaped(label)}</text>`,
    ]),
    `<text class="one" x="${WIDTH - PLOT.right}" y="${bottom + 34}" text-anchor="end">${escaped(x.title)}</text>`,
    `<text class="one" x="${PLOT.left}" y="${PLOT.top - 8}">${escaped(y.title)}</text>`,
  ];
  const drawn = lines.flatMap(({ points }, s) => {
    const shown = points.filter(([at, value]) => inside(x, at) && inside(y, value));
    const path = shown.map(([at, value]) => `${px(at).toFixed(1)},${py(value).toFixed(1)}`);
    return [
      `<polyline class="series${s}" points="${path.join(" ")}"/>`,
      ...path.map((point) => {
        const [cx, cy] = point.split(",");
        return `<circle class="series${s}" cx="${cx}" cy="${cy}" r="3"/>`;
      }),
    ];
  });
  const across = marks.flatMap(({ value, label }, i) => {
    const at = py(value).toFixed(1);
    const [end, anchor] = i % 2 === 0 ? [WIDTH - PLOT.right - 4, "end"] : [PLOT.left + 4, "start"];
    return [
      `<line x1="${PLOT.left}" y1="${at}" x2="${WIDTH - PLOT.right}" y2="${at}"/>`,
      `<text class="one" x="${end}" y="${(py(value) - 4).toFixed(1)}" text-anchor="${anchor}">${escaped(label)}</text>`,
    ];
  });
  const names = legend(
    lines.map(({ name }) => name),
    PLOT.left,
  );
  return drawing(title, bottom + 44, PLOT.left, [...names, ...grid, ...drawn, ...across]);
}
