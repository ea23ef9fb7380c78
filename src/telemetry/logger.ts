/** JSON lines on stderr, and which event is logged at which level. */
import type { Writable } from 'node:stream'
import type { DestinationStream, Logger } from 'pino'
import pino from 'pino'
import type { FlowEvent, Observe } from '../domain/flow-event'
import type { Redact } from '../domain/redact'

export type { Logger }

/** Lines that their reader has not taken yet are kept up to this much, bytes. Those beyond it are dropped and counted. */
const mostWaiting = 16_000_000

/**
 * Where lines go. A reader that hangs would stop a service that writes to it synchronously, and one that has gone would end
 * it. The work goes on without its log instead.
 */
export const createLogStream = (stream: Writable): DestinationStream => {
  let dropped = 0
  stream.on('error', () => {
    dropped += 1
  })
  const isFull = (): boolean => stream.destroyed || stream.writableLength > mostWaiting
  return {
    write: line => {
      if (isFull()) {
        dropped += 1
        return
      }
      const count = dropped
      dropped = 0
      if (count > 0) stream.write(`{"level":"warn","dropped":${count},"msg":"log lines were dropped"}\n`)
      stream.write(line)
    },
  }
}

/**
 * Makes the logger. No code logs a secret on purpose. As a second line of defence, fields with one of the secret names
 * are left out, and `redact` goes over every line.
 */
export const createLogger = (level: string, redact: Redact): Logger =>
  pino(
    {
      level,
      base: { service: 'device-move', pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
      redact: {
        paths: ['password', 'secret', 'accessKeySecret', 'securityToken', 'authorization', 'token'].flatMap(
          name => [name, `*.${name}`, `*.*.${name}`],
        ),
        remove: true,
      },
      hooks: { streamWrite: redact },
    },
    createLogStream(process.stderr),
  )

type Level = 'debug' | 'info' | 'warn' | 'error'

/** The level of each event. What people must act on is `error`. */
const levels: Readonly<Record<FlowEvent['kind'], Level>> = {
  appended: 'debug',
  'lease-held': 'info',
  'standing-by': 'info',
  'batch-claimed': 'debug',
  'job-resumed': 'info',
  'call-ended': 'debug',
  'provider-unreachable': 'warn',
  'provider-throttles': 'warn',
  'provider-answers': 'info',
  'create-refused': 'warn',
  'create-unanswered': 'warn',
  'create-reconciled': 'info',
  'job-unadopted': 'warn',
  'job-created': 'info',
  'job-denied': 'warn',
  'job-known-again': 'info',
  'job-overdue': 'error',
  'job-resolved': 'info',
  'job-ended': 'debug',
  'result-file-problem': 'warn',
  'devices-looked-up': 'info',
  'part-settled': 'info',
  'job-settled': 'info',
  'job-held': 'error',
  'route-held': 'error',
  'account-refused': 'error',
  published: 'debug',
  retrying: 'warn',
  recovered: 'info',
  'database-restored': 'error',
  'restore-accepted': 'info',
  defect: 'error',
}

const printable = (value: unknown): unknown => (typeof value === 'bigint' ? value.toString() : value)

/** Logs each event as one line: its kind is the text, its fields are the fields. */
export const logEvents =
  (logger: Logger): Observe =>
  event => {
    const { kind, ...fields } = event
    // A problem is one line, however often it is tried again.
    const level = event.kind === 'retrying' && !event.isNews ? 'debug' : levels[kind]
    const entry = Object.fromEntries(
      Object.entries(fields).map(([name, value]) => [name === 'error' ? 'err' : name, printable(value)]),
    )
    logger[level](entry, kind)
  }
