/** One group of bars: a label and a value for each series. */
export interface Group {
  readonly label: string;
  readonly values: readonly (number | null)[];
}

const WIDTH = 760;
const LABELS = 170;
const FIGURES = 60;
const BAR = 14;
const GAP = 12;
const TOP = 64;

/** Text for SVG. */
const escaped = (text: string): string => text.replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);

/**
 * Horizontal bars as an SVG that reads on light and dark grounds: `groups` of one bar a series, a line at 1 that says what 1 is.
 * Values are ratios.
 */
export function barChart(title: string, one: string, series: readonly string[], groups: readonly Group[]): string {
  const largest = Math.max(1, ...groups.flatMap(({ values }) => values.map((value) => value ?? 0)));
  const scale = (WIDTH - LABELS - FIGURES) / largest;
  const pitch = series.length * BAR + GAP;
  const height = TOP + groups.length * pitch + 24;
  const bars = groups.flatMap(({ label, values }, g) => {
    const top = TOP + g * pitch;
    const middle = top + (series.length * BAR) / 2 + 4;
    return [
      `<text class="label" x="${LABELS - 10}" y="${middle}" text-anchor="end">${escaped(label)}</text>`,
      ...values.flatMap((value, s) => {
        if (value === null) return [];
        const y = top + s * BAR;
        const width = (value * scale).toFixed(1);
        return [
          `<rect class="series${s}" x="${LABELS}" y="${y}" width="${width}" height="${BAR - 2}" rx="2"/>`,
          `<text class="figure" x="${(LABELS + value * scale + 6).toFixed(1)}" y="${y + BAR - 4}">${value.toFixed(2)}×</text>`,
        ];
      }),
    ];
  });
  const legend = series.map((name, s) => {
    const x = LABELS + s * 130;
    return `<rect class="series${s}" x="${x}" y="34" width="12" height="12" rx="2"/><text class="label" x="${x + 18}" y="44">${escaped(name)}</text>`;
  });
  const line = (LABELS + scale).toFixed(1);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(title)}">
<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.figure, .one { font-size: 11px; fill: #59636e }
.series0 { fill: #0969da } .series1 { fill: #8250df }
line { stroke: #59636e; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.figure, .one { fill: #9198a1 }
.series0 { fill: #4493f8 } .series1 { fill: #ab7df8 }
line { stroke: #9198a1 }
}
</style>
<text class="title" x="${LABELS}" y="20">${escaped(title)}</text>
${legend.join("\n")}
${bars.join("\n")}
<line x1="${line}" y1="${TOP - 6}" x2="${line}" y2="${height - 20}"/>
<text class="one" x="${line}" y="${height - 6}" text-anchor="middle">${escaped(one)}</text>
</svg>
`;
}
