import { type MoveRequest, positionText } from '../domain/request'

/** How far a list has been sent, for whoever has to go on from there. */
export interface SubmitProgress {
  /** A good line of the list, about to be sent. */
  readonly taken: (request: MoveRequest) => void
  /** So many requests are acknowledged, and every line up to this one is done with. */
  readonly sent: (requests: number, lastLine: bigint) => void
  readonly requests: () => number
  readonly devices: () => number
  /** What is certain when it ends too early, and what to send again. */
  readonly text: () => string
}

export const createSubmitProgress = (): SubmitProgress => {
  let [requests, devices, unnamed, lastLine] = [0, 0, 0, 0n]

  /** The same id is taken once; a line without one is a new request each time. */
  const again = (): string => {
    if (unnamed === 0) return 'Send the same list again: a requestId is taken only once.'
    const because = `${unnamed} so far name no requestId, so each time they are sent they are new requests.`
    return lastLine === 0n
      ? `Look into the topic before you send them again: ${because}`
      : `Send the lines after it again, not those before: ${because}`
  }

  return {
    taken: ({ deviceNames, requestId, position }) => {
      devices += deviceNames.length
      if (requestId === positionText(position)) unnamed += 1
    },
    sent: (more, line) => {
      requests += more
      lastLine = line
    },
    requests: () => requests,
    devices: () => devices,
    text: () => {
      if (devices === 0) return 'Nothing was sent.'
      const acknowledged =
        lastLine === 0n
          ? 'No request was acknowledged; some may have been written.'
          : `${requests} requests were acknowledged, up to line ${lastLine}; some after it may have been written.`
      return `${acknowledged} ${again()}`
    },
  }
}
