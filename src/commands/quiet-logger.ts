import type { Config } from '../config'
import { createLogger, type Logger } from '../telemetry/logger'
import { redact } from './redact'

/** For commands whose progress people watch: errors only, unless LOG_LEVEL asks for something else. */
export const quietLogger = ({ logLevel }: Config): Logger =>
  createLogger(logLevel === 'info' ? 'error' : logLevel, redact)
