/** From the bytes of a record to the fields of its request, whether or not a CloudEvent carries them. */
import { decodeUtf8 } from '../domain/plain-text'
import { positionText } from '../domain/request'
import type { SourceRecord } from '../ports/request-source'
import {
  type JsonObject,
  keyOf,
  type ReadObject,
  readObject,
  type Unreadable,
  unreadable,
  visitMembers,
  type WrittenObject,
} from './json-object'
import { isPrintable, recordedAt, requestFieldSet } from './request-schema'

/** The request of an event, with what the event itself says. */
type OpenedEvent = {
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

/** The text of one member as it was written, so that repeated fields are found in it too. */
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
  const text = decodeUtf8(Buffer.from(data, 'base64'))
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

/** Opens a CloudEvent in structured mode. Where its request is unreadable, its id may be known all the same. */
const openEvent = (text: string): OpenedEvent | Unreadable => {
  const event = readObject(text, envelopeFields)
  if (event.kind === 'unreadable') return event
  return {
    request: readData(text, event.fields),
    eventId: event.fields.id,
    traceparent: event.fields.traceparent,
  }
}

const shape = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/** A W3C trace context as it came. null for any other value: that is no reason to reject the record. */
const validTraceparent = (value: unknown): string | null =>
  typeof value === 'string' && shape.test(value) ? value : null

/** A record with what is known of it apart from its request. */
export interface Origin {
  readonly record: SourceRecord
  /** The value of its header; null if it has none, or one that cannot be handed on. */
  readonly contentType: string | null
  /** Id of the CloudEvent that carried it; null if there is none. */
  readonly eventId: string | null
  readonly traceparent: string | null
}

export interface RequestRecord extends WrittenObject {
  readonly origin: Origin
}

export type ReadRecord = RequestRecord | (Unreadable & { readonly origin: Origin })

/** The id of a request: its own, else that of its event, else its position. */
export const requestIdOf = (own: string | null | undefined, { eventId, record }: Origin): string =>
  own ?? eventId ?? positionText(record.position)

/** When the move was asked for: the time that the request gives, else that of its record. */
export const requestedAtOf = (own: string | null | undefined, { record }: Origin): Date =>
  typeof own === 'string' ? new Date(own) : recordedAt(record.timestampMs)

/** 4 MiB hold 10,000 names in any form, so a larger value cannot be a request. */
const maxBytes = 4 * 1024 * 1024

const headerText = (record: SourceRecord, name: string): string | null => {
  const bytes = record.headers[name]
  return bytes === undefined ? null : decodeUtf8(bytes)
}

const mediaType = (contentType: string | null): string =>
  (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''

const contentTypeOf = (record: SourceRecord): string | null => {
  const text = headerText(record, 'content-type')
  return isPrintable(text) ? text : null
}

const originOf = (record: SourceRecord, eventId: unknown, traceparent: unknown): Origin => ({
  record,
  contentType: contentTypeOf(record),
  eventId: isPrintable(eventId) ? eventId : null,
  traceparent: validTraceparent(traceparent),
})

const textOf = (value: Uint8Array | null): string | Unreadable => {
  if (value === null || value.length === 0) return unreadable('empty_value', 'the record has no value')
  if (value.length > maxBytes) {
    return unreadable(
      'record_too_large',
      `the value has ${value.length} bytes, more than ${maxBytes}; split it`,
    )
  }
  return decodeUtf8(value) ?? unreadable('invalid_encoding', 'the value is not UTF-8 text')
}

/** Reads one record down to the fields of its request. Never throws. */
export const readRecord = (record: SourceRecord): ReadRecord => {
  const traced = headerText(record, 'traceparent') ?? headerText(record, 'ce_traceparent')
  const origin = originOf(record, headerText(record, 'ce_id'), traced)
  const text = textOf(record.value)
  if (typeof text !== 'string') return { ...text, origin }

  const media = mediaType(origin.contentType)
  if (media === 'application/cloudevents-batch+json') {
    return {
      ...unreadable('invalid_request', 'batches of events are not accepted; send one event a record'),
      origin,
    }
  }
  if (media !== 'application/cloudevents+json') return { ...readObject(text, requestFieldSet), origin }

  const opened = openEvent(text)
  if ('kind' in opened) return { ...opened, origin }
  return { ...opened.request, origin: originOf(record, opened.eventId, traced ?? opened.traceparent) }
}
