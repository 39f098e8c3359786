const ONES =
  "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(
    " ",
  );
const TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split(" ");

/** A whole number below a thousand in words; larger ones as digits. */
function spelled(n: number): string {
  if (n < 20) return ONES[n]!;
  if (n < 100) return n % 10 === 0 ? TENS[n / 10]! : `${TENS[Math.floor(n / 10)]} ${ONES[n % 10]}`;
  if (n >= 1000) return String(n);
  const hundreds = `${ONES[Math.floor(n / 100)]} hundred`;
  return n % 100 === 0 ? hundreds : `${hundreds} ${spelled(n % 100)}`;
}

/** What is compared of a sentence: its words in small letters, digits spelled out, punctuation dropped but for apostrophes. */
export const wordsOf = (text: string): string[] =>
  text
    .toLowerCase()
    .replaceAll("’", "'")
    .replace(/\d+/g, (digits) => ` ${spelled(Number(digits))} `)
    .replace(/[^a-z' ]+/g, " ")
    .split(/\s+/)
    .filter((word) => word !== "");

/** The fewest insertions, deletions and substitutions that make `heard` of `said` (Levenshtein), over words or characters. */
export function edits<T>(said: readonly T[], heard: readonly T[]): number {
  let row = Array.from({ length: heard.length + 1 }, (_, i) => i);
  for (const [i, word] of said.entries()) {
    const next = [i + 1];
    for (const [j, other] of heard.entries())
      next.push(Math.min(row[j + 1]! + 1, next[j]! + 1, row[j]! + (word === other ? 0 : 1)));
    row = next;
  }
  return row[heard.length]!;
}
