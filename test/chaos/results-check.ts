import type { Asked } from './fleet'

/** The fields of a record of the results topic that the check needs. */
export interface Result {
  readonly id: string
  readonly requestId: string
  readonly deviceName: string | null
  readonly outcome: string
  readonly final: boolean
  readonly code: string
  readonly attempt: number
}

interface Request {
  readonly asked: Asked
  attempt: number
  outcome: string | null
  code: string
  /** After at least one attempt, the service could not know what had become of the device. */
  isUncertain: boolean
}

interface Device {
  readonly name: string
  /** In the order in which they were sent. */
  readonly requests: Request[]
}

export interface ResultsSummary {
  readonly results: number
  /** Devices of requests without a final outcome. */
  readonly lost: number
  readonly lostExamples: readonly string[]
  /** Records whose id came before. */
  readonly repeatedIds: number
  /** Final outcomes after the first of the same request and device. */
  readonly secondFinals: number
  /** Records of requests that were never made. */
  readonly strangers: number
  /** Attempts that do not rise by one, and records of a request before its predecessor was final. */
  readonly outOfOrder: number
  readonly orderExamples: readonly string[]
  /** Valid requests that were rejected, and invalid ones that were not. */
  readonly misjudged: number
  readonly byOutcome: Readonly<Record<string, number>>
  readonly failedByCode: Readonly<Record<string, number>>
}

const listed = 5
/** Our own codes for devices that the provider did not report on. */
const tellsNothing = new Set(['unknown', 'interrupted'])

const keyOf = (requestId: string, deviceName: string | null): string => `${requestId} ${deviceName}`

/** Reads the results topic record by record, in the order of each partition, and compares it with the requests. */
export const createResultsCheck = (everything: Iterable<Asked>) => {
  const requests = new Map<string, Request>()
  const devices = new Map<string, Device>()
  for (const asked of everything) {
    const request = { asked, attempt: 0, outcome: null, code: '', isUncertain: false }
    requests.set(keyOf(asked.requestId, asked.deviceName), request)
    const device = devices.get(asked.deviceName) ?? { name: asked.deviceName, requests: [] }
    device.requests.push(request)
    devices.set(asked.deviceName, device)
  }
  const ids = new Set<string>()
  const byOutcome: Record<string, number> = {}
  const failedByCode: Record<string, number> = {}
  const orderExamples: string[] = []
  let [results, repeatedIds, secondFinals, strangers, outOfOrder] = [0, 0, 0, 0, 0]

  const isInOrder = (request: Request, attempt: number): boolean => {
    const before = devices.get(request.asked.deviceName)?.requests ?? []
    const open = before.slice(0, before.indexOf(request)).some(earlier => earlier.outcome === null)
    return !open && attempt === request.attempt + 1
  }

  const close = (request: Request, { outcome, code }: Result): void => {
    if (request.outcome !== null) {
      secondFinals += 1
      return
    }
    request.outcome = outcome
    request.code = code
    byOutcome[outcome] = (byOutcome[outcome] ?? 0) + 1
    if (outcome === 'failed') failedByCode[code] = (failedByCode[code] ?? 0) + 1
  }

  return {
    add(result: Result): void {
      results += 1
      if (ids.has(result.id)) {
        repeatedIds += 1
        return
      }
      ids.add(result.id)
      const request = requests.get(keyOf(result.requestId, result.deviceName))
      if (request === undefined) {
        strangers += 1
        return
      }
      if (!isInOrder(request, result.attempt)) {
        outOfOrder += 1
        if (orderExamples.length < listed) orderExamples.push(JSON.stringify(result))
      }
      request.attempt = result.attempt
      if (tellsNothing.has(result.code)) request.isUncertain = true
      if (result.final) close(request, result)
    },
    devices: (): readonly Device[] => [...devices.values()],
    summary(): ResultsSummary {
      const all = [...requests.values()]
      const lost = all.filter(({ outcome }) => outcome === null)
      return {
        results,
        lost: lost.length,
        lostExamples: lost.slice(0, listed).map(({ asked }) => keyOf(asked.requestId, asked.deviceName)),
        repeatedIds,
        secondFinals,
        strangers,
        outOfOrder,
        orderExamples,
        misjudged: all.filter(
          ({ outcome, asked }) => outcome !== null && (outcome === 'rejected') === asked.isValid,
        ).length,
        byOutcome,
        failedByCode,
      }
    },
  }
}

export type ResultsCheck = ReturnType<typeof createResultsCheck>
