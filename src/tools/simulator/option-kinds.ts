/** One option: its default, what it means, and how it is read from a flag or a JSON value. */
export interface Option<T> {
  readonly value: T
  readonly note: string
  /** What is accepted, for people. */
  readonly accepts: string
  /** undefined: the value is not accepted. Text is accepted wherever a flag gives text. */
  readonly read: (raw: unknown) => T | undefined
}

const numeric = (raw: unknown): number =>
  typeof raw === 'number' ? raw : typeof raw === 'string' && raw.trim() !== '' ? Number(raw) : Number.NaN

const within = (value: number, min: number, max: number, note: string, whole: boolean): Option<number> => ({
  value,
  note,
  accepts: `${whole ? 'a whole number' : 'a number'} from ${min} to ${max}`,
  read: raw => {
    const read = numeric(raw)
    return read >= min && read <= max && (!whole || Number.isInteger(read)) ? read : undefined
  },
})

export const whole = (value: number, note: string, max = 2 ** 31): Option<number> =>
  within(value, 0, max, note, true)

export const amount = (value: number, note: string, max = 2 ** 31): Option<number> =>
  within(value, 0, max, note, false)

/** A probability. */
export const rate = (note: string): Option<number> => within(0, 0, 1, note, false)

export const text = (value: string, note: string): Option<string> => ({
  value,
  note,
  accepts: 'text',
  read: raw => (typeof raw === 'string' ? raw : undefined),
})

export const flag = (note: string): Option<boolean> => ({
  value: false,
  note,
  accepts: 'true or false',
  read: raw => (raw === true || raw === 'true' ? true : raw === false || raw === 'false' ? false : undefined),
})

export const choice = <C extends string>(value: C, among: readonly C[], note: string): Option<C> => ({
  value,
  note,
  accepts: among.join(' | '),
  read: raw => among.find(one => one === raw),
})
