import type { SourceRecord } from '../ports'
import { openEvent } from './cloud-event'
import { decodeText } from './decode-text'
import { readObject, type Unreadable, unreadable, type WrittenObject } from './read-object'
import { isPrintable, requestFieldSet } from './request-schema'
import { validTraceparent } from './traceparent'

/** What is known of a record apart from its request. */
export interface Origin {
  readonly record: SourceRecord
  /** Its header; null if it has none, or nothing that could be handed on. */
  readonly contentType: string | null
  /** Id of the CloudEvent that carried it. */
  readonly eventId: string | null
  readonly traceparent: string | null
}

export interface RequestRecord extends WrittenObject {
  readonly origin: Origin
}

export type ReadRecord = RequestRecord | (Unreadable & { readonly origin: Origin })

/** Room for 10,000 names in any form; beyond it lies nothing that could be a request. */
const maxBytes = 4 * 1024 * 1024

const headerText = (record: SourceRecord, name: string): string | null => {
  const bytes = record.headers[name]
  return bytes === undefined ? null : decodeText(bytes)
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
  return decodeText(value) ?? unreadable('invalid_encoding', 'the value is not UTF-8 text')
}

/** Reads one record down to the fields of its request, out of a CloudEvent where it is one. Never throws. */
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
