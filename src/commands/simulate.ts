/** `device-move simulate`: the provider simulator as a process. */
import { readFileSync } from 'node:fs'
import { processEnvironment } from '../app/config'
import { messageOf } from '../domain/error-text'
import { parseSimulatorOptions } from '../tools/simulator/options'
import { createSimulator } from '../tools/simulator/simulator'
import { exitCode, usageError } from './exit-code'
import { listenProblem } from './listen-problem'
import { firstSignal } from './process-end'

const readJson = (path: string): Record<string, unknown> => {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return { ...parsed }
    throw new Error('it holds no JSON object')
  } catch (error) {
    return usageError(`--options ${path}: ${messageOf(error)}`)
  }
}

/** Serves until a signal. `flags` are as commander gives them; those of the table win over the file of `--options`. */
export const simulateCommand = async (flags: Readonly<Record<string, unknown>>): Promise<number> => {
  const { port, host, options: file, ...given } = flags
  const environment = processEnvironment()
  const pair = {
    accessKeyId: environment.ALIBABA_CLOUD_ACCESS_KEY_ID,
    accessKeySecret: environment.ALIBABA_CLOUD_ACCESS_KEY_SECRET,
  }
  const fromEnvironment = Object.fromEntries(
    Object.entries(pair).filter(([, value]) => value !== undefined && value !== ''),
  )
  const options = parseSimulatorOptions({
    ...fromEnvironment,
    ...(typeof file === 'string' ? readJson(file) : {}),
    ...given,
  })
  if ('problems' in options) return usageError(options.problems.map(text => `  ${text}`).join('\n'))
  const number = Number(port ?? 0)
  if (!Number.isInteger(number) || number < 0 || number > 65_535)
    return usageError(`--port ${String(port)}: must be from 0 to 65535`)
  const simulator = createSimulator(options)
  const signal = firstSignal()
  const { url } = await simulator
    .listen(number, typeof host === 'string' ? host : '127.0.0.1')
    .catch((error: unknown) => {
      throw listenProblem(error, '--host or --port') ?? error
    })
  console.log(JSON.stringify({ listening: url }))
  await signal
  await simulator.stop()
  return exitCode.done
}
