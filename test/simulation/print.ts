/** Writes a line to the standard output. */
export const print = (text: string): void => {
  process.stdout.write(`${text}\n`)
}

export const range = function* (from: number, count: number): Iterable<number> {
  for (let seed = from; seed < from + count; seed += 1) yield seed
}
