import { map, timer } from 'rxjs'
import type { FailureKind, JobApi } from '../../src/ports/job-api'

/** The provider, but it refuses each batch that holds `deviceName` as a whole. */
export const refusing = (api: JobApi, deviceName: string, kind: FailureKind, code: string): JobApi => ({
  ...api,
  create: (route, names) =>
    names.includes(deviceName)
      ? timer(50).pipe(map(() => ({ ok: false, kind, code, message: 'made to fail' }) as const))
      : api.create(route, names),
})
