import type { EndStatus, JobTimes } from './job-book'
import type { SimulatorOptions } from './options'
import { chance, createRandom, hash32, logNormal } from './random'
import type { FileFault, FileFormat } from './result-file'

/** What is decided about a job when it is created. */
export interface JobFate extends JobTimes {
  readonly endsAs: EndStatus
  /** Share of the devices dealt with before its end; 1 unless it is interrupted. */
  readonly doneShare: number
  readonly hasFile: boolean
  readonly format: FileFormat
  /** What is wrong with the file, each time it is fetched; null: nothing. */
  readonly fileFault: FileFault | null
}

const pick = <T>(among: readonly T[], draw: number, otherwise: T): T =>
  among[Math.floor(draw * among.length)] ?? otherwise

const drawFileFault = (options: SimulatorOptions, draw: number): FileFault | null => {
  let left = draw
  const rates: readonly (readonly [FileFault, number])[] = [
    ['html', options.htmlFileRate],
    ['empty', options.emptyFileRate],
    ['truncated', options.truncatedFileRate],
    ['huge', options.hugeFileRate],
    ['gzip', options.gzipFileRate],
  ]
  for (const [fault, rate] of rates) {
    if (left < rate) return fault
    left -= rate
  }
  return null
}

/** It is drawn from the seed and the job's number alone, so that the order of calls does not change it. */
export const drawFate = (options: SimulatorOptions, jobNumber: number, devices: number): JobFate => {
  const draw = (what: string) => chance(options.seed, 'job', jobNumber, what)
  const random = createRandom(hash32(options.seed, 'duration', jobNumber))
  const interrupted = draw('interrupted') < options.interruptedRate
  const { fileFormat, fileCodes, fileKeys } = options
  return {
    initMs: options.initMs * logNormal(random, options.jitter),
    runMs: (options.baseMs + options.perDeviceMs * devices) * logNormal(random, options.jitter),
    endsAs: interrupted ? 3 : 2,
    doneShare: interrupted ? draw('share') : 1,
    hasFile:
      !interrupted ||
      (options.interruptedFile === 'random' ? draw('file') < 0.5 : options.interruptedFile === 'with'),
    format: {
      layout:
        fileFormat === 'random'
          ? pick(['json', 'ndjson', 'csv'] as const, draw('layout'), 'json')
          : fileFormat,
      codes: fileCodes === 'random' ? pick(['number', 'text'] as const, draw('codes'), 'number') : fileCodes,
      keys:
        fileKeys === 'random'
          ? pick(['pascal', 'camel', 'lower'] as const, draw('keys'), 'pascal')
          : fileKeys,
    },
    fileFault: drawFileFault(options, draw('file fault')),
  }
}
