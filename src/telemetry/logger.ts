/** JSON lines on stderr, and which event is logged at which level. */
import type { Logger } from 'pino'
import pino from 'pino'
import type { FlowEvent, Observe } from '../domain/flow-event'
import type { Redact } from '../domain/redact'

export type { Logger }

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
    pino.destination({ dest: 2, sync: true }),
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
