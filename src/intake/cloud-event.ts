import { decodeText } from './decode-text'
import { keyOf, visitMembers } from './json-members'
import { type JsonObject, type ReadObject, readObject, type Unreadable, unreadable } from './read-object'
import { requestFieldSet } from './request-schema'

/** A request taken out of its event. */
export type OpenedEvent = {
  readonly request: ReadObject
  readonly eventId: unknown
  readonly traceparent: unknown
}

const envelopeFields: ReadonlySet<string> = new Set([
  'specversion',
  'id',
  'data',
  'data_base64',
  'traceparent',
])
const base64 = /^[A-Za-z0-9+/]*={0,2}$/

/** Text of one member, as it was written: so repeated fields are found in it too. */
const memberText = (text: string, name: string): string => {
  let found = ''
  visitMembers(text, member => {
    if (keyOf(text, member) === name) found = text.slice(member.valueFrom, member.valueTo)
  })
  return found
}

const readBase64 = (data: unknown): ReadObject => {
  if (typeof data !== 'string' || data.length % 4 !== 0 || !base64.test(data)) {
    return unreadable('invalid_encoding', '$.data_base64 is not base64')
  }
  const text = decodeText(Buffer.from(data, 'base64'))
  return text === null
    ? unreadable('invalid_encoding', '$.data_base64 does not hold UTF-8 text')
    : readObject(text, requestFieldSet)
}

const readData = (text: string, event: JsonObject): ReadObject => {
  const { specversion, data, data_base64: encoded } = event
  if (typeof specversion !== 'string' || !/^1\.\d+$/.test(specversion)) {
    return unreadable('invalid_request', '$.specversion must be "1.0": only CloudEvents 1.0 is accepted')
  }
  if ((data === undefined) === (encoded === undefined)) {
    return unreadable('invalid_request', 'the event needs either $.data or $.data_base64')
  }
  return encoded === undefined ? readObject(memberText(text, 'data'), requestFieldSet) : readBase64(encoded)
}

/** Opens a CloudEvent in structured mode. What is unreadable may still have told its id. */
export const openEvent = (text: string): OpenedEvent | Unreadable => {
  const event = readObject(text, envelopeFields)
  if (event.kind === 'unreadable') return event
  return {
    request: readData(text, event.fields),
    eventId: event.fields.id,
    traceparent: event.fields.traceparent,
  }
}
