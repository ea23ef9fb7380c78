import pino, { type Logger } from 'pino'
import type { Redact } from '../domain/redact'

export type { Logger }

/**
 * JSON lines on stderr. No secret is logged on purpose anywhere; this is the net below: what is logged under one of the
 * secret names is left out, and `redact` goes over every line.
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
