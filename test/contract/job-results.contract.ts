import { firstValueFrom, toArray } from 'rxjs'
import { answerOf, ask, create, devices, ended, type JobApiHarness } from './job-api-harness'

/** What every JobApi promises of result files. */
export const describeJobResults = (name: string, start: () => Promise<JobApiHarness>): void => {
  describe(`the job API's result files (${name})`, () => {
    let harness: JobApiHarness
    beforeEach(async () => {
      harness = await start()
    })
    afterEach(() => harness.close())

    const urlOf = async (id: string) => answerOf(await ask(harness.api.detail(id))).url ?? 'none'

    it('tell what became of each device that was sent', async () => {
      const id = await create(harness.api)
      await ended(harness.api, id)
      const results = await firstValueFrom(harness.api.fetchResults(await urlOf(id), devices).pipe(toArray()))
      expect(results).toEqual([
        {
          kind: 'rows',
          rows: expect.any(Map),
          file: { body: expect.any(Uint8Array), contentType: expect.any(String) },
        },
      ])
      const [fetched] = results
      const codes =
        fetched?.kind === 'rows' ? Array.from(fetched.rows, ([device, row]) => [device, row.code]) : []
      expect(Object.fromEntries(codes)).toEqual({
        'meter-0001': '200',
        'meter:0002': '200',
        'missing-03': 'iot.device.NotExistedDevice',
        'meter@0004': '200',
      })
    })

    it('lose the rows of devices that were not sent, and are recognised when they hold no others', async () => {
      const id = await create(harness.api)
      await ended(harness.api, id)
      const url = await urlOf(id)
      const some = await firstValueFrom(harness.api.fetchResults(url, ['meter@0004', 'stranger']))
      expect(some.kind === 'rows' && [...some.rows.keys()]).toEqual(['meter@0004'])
      const none = await firstValueFrom(harness.api.fetchResults(url, ['stranger']))
      expect(none).toMatchObject({ kind: 'wrong-devices', file: { body: expect.any(Uint8Array) } })
    })

    it.each(['expired', 'unreachable', 'unreadable'] as const)('are reported as %s', async fault => {
      const id = await create(harness.api)
      await ended(harness.api, id)
      const url = await urlOf(id)
      harness.failNextFetch(fault)
      expect(await firstValueFrom(harness.api.fetchResults(url, devices))).toMatchObject({ kind: fault })
      expect(await firstValueFrom(harness.api.fetchResults(url, devices))).toMatchObject({ kind: 'rows' })
    })

    it('hold 10,000 devices of one job', async () => {
      const many = Array.from({ length: 10_000 }, (_, n) => `meter:${String(n).padStart(26, '0')}`)
      const id = await create(harness.api, many)
      expect(await ended(harness.api, id)).toMatchObject({ total: 10_000 })
      const fetched = await firstValueFrom(harness.api.fetchResults(await urlOf(id), many))
      expect(fetched.kind === 'rows' && fetched.rows.size).toBe(10_000)
    })
  })
}
