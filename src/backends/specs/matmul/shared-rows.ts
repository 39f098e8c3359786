/** Layouts whose rows keep the same columns in bands of so many. */
const BANDS = /^(?:bsr|shuffled-bsr|bnm|v:n:m):(\d+)/;
/** In blocks with n:m inside them each row chooses its own. */
const OWN = /\+/;

/** Neighbouring rows that keep the same columns in a weight of so many rows, as its layout's name tells; 1 where it does not. */
export function sharedRows(layout: string, rows: number): number {
  if (layout === "dense" || layout === "cols") return rows;
  return OWN.test(layout) ? 1 : Math.min(rows, Number(BANDS.exec(layout)?.[1] ?? 1));
}
