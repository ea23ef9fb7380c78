/** Which files of `src` run between two moments, by the engine's own count of function calls. */
import { Session } from 'node:inspector'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(__dirname, '../..')

export interface FilesRun {
  /** Counts anew from now. */
  start(): void
  /** Files with a function that was called since `start`, as `src/…`, sorted. */
  take(): readonly string[]
  stop(): void
}

interface ScriptCoverage {
  readonly url: string
  readonly functions: readonly {
    readonly functionName: string
    readonly ranges: readonly { readonly count: number }[]
  }[]
}

/** The compiler gives each export a getter. Reading a constant through it runs nothing of the file. */
const isExportGetter = (name: string): boolean => name.startsWith('get ')

const fileOf = (url: string): string => relative(root, url.startsWith('file:') ? fileURLToPath(url) : url)

export const createFilesRun = (): FilesRun => {
  const session = new Session()
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false })
  const read = (): readonly ScriptCoverage[] => {
    let found: readonly ScriptCoverage[] = []
    // In the same process the answer comes before `post` returns. Reading sets every count back to 0.
    session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error !== null) throw error
      found = answer.result
    })
    return found
  }
  return {
    start: () => {
      read()
    },
    take: () =>
      read()
        .filter(({ functions }) =>
          functions.some(
            ({ functionName, ranges }) => (ranges[0]?.count ?? 0) > 0 && !isExportGetter(functionName),
          ),
        )
        .map(({ url }) => fileOf(url))
        .filter(file => file.startsWith('src/') && !file.startsWith('src/tools/'))
        .sort(),
    stop: () => session.disconnect(),
  }
}
