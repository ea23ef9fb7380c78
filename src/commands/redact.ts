import { processEnvironment, secretsOf } from '../config'
import { createRedact } from '../domain/redact'

/** Takes this process's secrets out of whatever it is about to say. */
export const redact = createRedact(secretsOf(processEnvironment()))
