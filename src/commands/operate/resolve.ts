/** `device-move resolve`: settles or releases one held or overdue job, beside a running service or without one. */
import { firstValueFrom } from 'rxjs'
import { providerJobIdOf, type Resolution } from '../../domain/resolution'
import { type Resolved, resolveJob } from '../../postgres/job/resolve-job'
import { type DatabaseFlags, withDatabase } from '../database'
import { CommandError, exitCode, usageError } from '../exit-code'

export interface ResolveFlags extends DatabaseFlags {
  readonly adopt?: string
  readonly absent?: boolean
  readonly again?: boolean
  readonly fail?: boolean
  readonly resend?: boolean
}

const resolutionOf = ({ adopt, absent, again, fail, resend }: ResolveFlags): Resolution => {
  const given: Resolution[] = []
  if (adopt !== undefined)
    given.push({
      kind: 'adopt',
      providerJobId: providerJobIdOf(adopt) ?? usageError(`--adopt: ${JSON.stringify(adopt)} is no JobId`),
    })
  if (absent === true) given.push({ kind: 'absent' })
  if (again === true) given.push({ kind: 'again' })
  if (fail === true) given.push({ kind: 'fail' })
  if (resend === true) given.push({ kind: 'resend' })
  const [only, ...more] = given
  return only === undefined || more.length > 0
    ? usageError(
        'Say what is to be done with the job: one of --adopt, --absent, --again, --fail and --resend.',
      )
    : only
}

type Done = Extract<Resolved, { kind: 'resolved' }>

const resolvedText = (batchId: number, resolution: Resolution, done: Done): string =>
  [answerText(batchId, resolution, done), ...runsOnText(resolution, done)].join(' ')

/** What becomes of a job that was overdue, and that the provider may still show as running. */
const runsOnText = ({ kind }: Resolution, { runsAs }: Done): string[] =>
  runsAs === null || kind === 'adopt'
    ? []
    : [
        `JobId ${runsAs} no longer counts as ours: it takes a slot for as long as List shows it as open, ` +
          'and devices that it still moves are moved unnoticed.',
      ]

const answerText = (batchId: number, resolution: Resolution, { was, devices }: Done): string => {
  switch (resolution.kind) {
    case 'adopt':
      return `Job ${batchId} goes on as ${resolution.providerJobId} of the provider: its end is awaited (${devices} devices).`
    case 'absent':
      return `Job ${batchId} is created again: its ${devices} devices are sent again. If it exists after all, they move twice.`
    case 'again':
      return `Job ${batchId} is released as ${was}: the step it was held at is tried once more.`
    case 'fail':
      return was === 'claimed'
        ? `The ${devices} devices of job ${batchId} have failed for good, code not-moved: they were not sent.`
        : `The ${devices} devices of job ${batchId} have failed for good, code unknown: they may have moved. ` +
            'Later requests for them are sent now.'
    case 'resend':
      return (
        `The ${devices} devices of job ${batchId} without an outcome are sent again, without looking up where they are. ` +
        'A device that has moved already is moved once more, and loses its tags and groups.'
      )
  }
}

export const resolveCommand = async (job: string, flags: ResolveFlags): Promise<number> => {
  const batchId = /^[1-9]\d{0,14}$/.test(job)
    ? Number(job)
    : usageError(`${JSON.stringify(job)} is no job: give its batch_id, a whole number`)
  const resolution = resolutionOf(flags)
  return withDatabase(flags, async (pool, { jobOverdueFactor, retryMaxAttempts }) => {
    const limits = { overdueFactor: jobOverdueFactor, maxAttempts: retryMaxAttempts }
    const resolved = await firstValueFrom(resolveJob(pool, batchId, resolution, limits))
    if (resolved.kind === 'refused') throw new CommandError(resolved.why)
    console.log(resolvedText(batchId, resolution, resolved))
    return exitCode.done
  })
}
