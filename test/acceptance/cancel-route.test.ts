import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import { runCli } from '../support/cli-process'
import { names } from '../support/deployment'
import { csvOf, resultsIn, useMoveStage } from '../support/move-stage'

jest.setTimeout(120_000)

describe('cancel --route', () => {
  const stage = useMoveStage(200)

  it('gives up a target that does not exist, and the same devices then move to the right one', async () => {
    const database = await stage.emptyDatabase()
    const environment = stage.environmentOn(database)
    const right = csvOf(names('meter', 300))
    const move = async (name: string, list: string) => {
      const file = join(stage.directory, `${name}.csv`)
      const out = join(stage.directory, `${name}.ndjson`)
      await writeFile(file, list)
      return { ...(await runCli(['move', file, '--out', out], environment)), out }
    }
    const client = new Client({ connectionString: database.url })
    await client.connect()
    try {
      const wrong = await move('wrong', right.replaceAll('iot-b', 'missing-instance'))
      expect(wrong.status).not.toBe(0)
      const routes = await client.query('select * from device_move.routes order by route_id')
      expect(routes.rows).toEqual([expect.objectContaining({ in_held_jobs: '300', held_kind: 'refused' })])
      const audit = await fetch(`${stage.endpoint}/_simulator/audit`)
      expect(await audit.json()).toMatchObject({ calls: { create: 1 } })

      const cancel = (route: string) => runCli(['cancel', '--route', route, '--json'], environment)
      expect(await cancel('77')).toEqual({
        status: 1,
        out: '',
        err: 'There is no route 77: see device_move.routes.',
      })
      const cancelled = await cancel(String(routes.rows[0].route_id))
      expect([cancelled.status, JSON.parse(cancelled.out)]).toEqual([0, { cancelled: 300, inFlight: 0 }])

      const again = await move('right', right)
      expect(again.status).toBe(0)
      const results = await resultsIn(again.out)
      expect(results.map(({ outcome }) => outcome)).toEqual(results.map(() => 'moved'))
      expect(results).toHaveLength(300)
      const { rows } = await client.query(
        'select moved::integer, failed::integer, gap::integer from device_move.conservation',
      )
      expect(rows).toEqual([{ moved: 300, failed: 300, gap: 0 }])
    } finally {
      await client.end()
    }
  })
})
