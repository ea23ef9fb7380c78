import pino, { type Logger } from 'pino'

export type { Logger }

/**
 * JSON lines on stderr. Whatever is logged under one of the secret names is left out, at any of the depths in use;
 * secrets are not logged on purpose anywhere, this is the net below.
 */
export const createLogger = (level: string): Logger =>
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
    },
    pino.destination({ dest: 2, sync: true }),
  )
