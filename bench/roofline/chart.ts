import type { Machine } from "../../src/backends/roofline/index.js";

export interface Dot {
  /** Which of the series. */
  readonly series: number;
  /** Multiply-adds a byte, and a second. */
  readonly intensity: number;
  readonly rate: number;
  readonly title: string;
}

const [WIDTH, HEIGHT] = [760, 440];
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 20, 66, 52];

const escaped = (text: string): string => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

/** A roofline on logarithmic axes as an SVG for light and dark grounds: the machine's compute peak, a slope for each level of memory, and kernels. */
export function rooflineChart(
  title: string,
  machine: Machine,
  series: readonly string[],
  dots: readonly Dot[],
): string {
  const { float32, levels } = machine.all;
  const [fromX, toX] = [1 / 32, 256];
  const toY = 1e9 * 2 ** Math.ceil(Math.log2((float32 * 1.1) / 1e9));
  const fromY = toY / 64;
  const span = (value: number, from: number, to: number): number => Math.log(value / from) / Math.log(to / from);
  const x = (value: number): number => LEFT + span(value, fromX, toX) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number => HEIGHT - BOTTOM - span(value, fromY, toY) * (HEIGHT - TOP - BOTTOM);
  const at = (px: number): string => px.toFixed(1);

  const ticksX = [0.0625, 0.25, 1, 4, 16, 64, 256].map(
    (value) =>
      `<line class="grid" x1="${at(x(value))}" y1="${TOP}" x2="${at(x(value))}" y2="${HEIGHT - BOTTOM}"/><text class="figure" x="${at(x(value))}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${value}</text>`,
  );
  const ticksY = Array.from({ length: 7 }, (_, i) => fromY * 2 ** i).map(
    (value) =>
      `<line class="grid" x1="${LEFT}" y1="${at(y(value))}" x2="${WIDTH - RIGHT}" y2="${at(y(value))}"/><text class="figure" x="${LEFT - 8}" y="${at(y(value) + 4)}" text-anchor="end">${Number((value / 1e9).toPrecision(2))}</text>`,
  );
  // A slope begins where it enters the picture and ends at the peak; its name stands beside it, each lower than the one before.
  const roofs = levels.map(({ name, read }, i) => {
    const begin = Math.max(fromX, fromY / read);
    const end = float32 / read;
    const label = float32 / 1.5 ** (i + 1);
    return `<line class="roof" x1="${at(x(begin))}" y1="${at(y(begin * read))}" x2="${at(x(end))}" y2="${at(y(float32))}"/><text class="figure" x="${at(x(label / read) - 7)}" y="${at(y(label))}" text-anchor="end">${name} ${(read / 1e9).toFixed(0)}</text>`;
  });
  const first = Math.max(fromX, Math.min(...levels.map(({ read }) => float32 / read)));
  const peak = `<line class="roof" x1="${at(x(first))}" y1="${at(y(float32))}" x2="${at(x(toX))}" y2="${at(y(float32))}"/><text class="figure" x="${at(x(toX))}" y="${at(y(float32) - 6)}" text-anchor="end">multiply-adds ${(float32 / 1e9).toFixed(1)}</text>`;
  const marks = dots
    .filter(({ rate, intensity }) => rate >= fromY && intensity >= fromX && intensity <= toX)
    .map(
      (dot) =>
        `<circle class="series${dot.series}" cx="${at(x(dot.intensity))}" cy="${at(y(dot.rate))}" r="4"><title>${escaped(dot.title)}</title></circle>`,
    );
  const legend = series.map((name, s) => {
    const left = LEFT + s * 190;
    return `<circle class="series${s}" cx="${left + 6}" cy="42" r="5"/><text x="${left + 18}" y="46">${escaped(name)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${escaped(title)}">
<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.figure { font-size: 11px; fill: #59636e }
.series0 { fill: #59636e } .series1 { fill: #0969da } .series2 { fill: #8250df }
.roof { stroke: #1f2328; stroke-width: 1.5 }
.grid { stroke: #d1d9e0; stroke-width: .5 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.figure { fill: #9198a1 }
.series0 { fill: #9198a1 } .series1 { fill: #4493f8 } .series2 { fill: #ab7df8 }
.roof { stroke: #f0f6fc }
.grid { stroke: #3d444d }
}
</style>
<text class="title" x="${LEFT}" y="20">${escaped(title)}</text>
${legend.join("\n")}
${[...ticksX, ...ticksY, ...roofs, peak, ...marks].join("\n")}
<text class="figure" x="${WIDTH - RIGHT}" y="${HEIGHT - 12}" text-anchor="end">multiply-adds of kept weights for each byte that must move</text>
<text class="figure" x="${LEFT}" y="${TOP - 6}">10⁹ multiply-adds a second; slopes: GB a second</text>
</svg>
`;
}
