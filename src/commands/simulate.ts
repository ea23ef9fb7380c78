import { readFileSync } from 'node:fs'
import { processEnvironment } from '../app/config'
import { parseSimulatorOptions } from '../tools/simulator/options'
import { createSimulator } from '../tools/simulator/simulator'
import { CommandError, exitCode } from './exit-code'
import { listenProblem } from './listen-problem'
import { firstSignal } from './process-end'

const readJson = (path: string): Record<string, unknown> => {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return { ...parsed }
    throw new Error('it holds no JSON object')
  } catch (error) {
    throw new CommandError(
      `--options ${path}: ${error instanceof Error ? error.message : 'cannot be read'}`,
      exitCode.usage,
    )
  }
}

/** `flags` as commander gives them; those of the table win over the file. */
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
  if ('problems' in options)
    throw new CommandError(options.problems.map(text => `  ${text}`).join('\n'), exitCode.usage)
  const number = Number(port ?? 0)
  if (!Number.isInteger(number) || number < 0 || number > 65_535)
    throw new CommandError(`--port ${String(port)}: must be from 0 to 65535`, exitCode.usage)
  const simulator = createSimulator(options)
  const signal = firstSignal()
  const { url } = await simulator
    .listen(number, typeof host === 'string' ? host : '127.0.0.1')
    .catch((error: unknown) => {
      throw listenProblem(error, '--host or --port') ?? error
    })
  console.log(JSON.stringify({ listening: url }))
  await signal
  await simulator.close()
  return exitCode.done
}
