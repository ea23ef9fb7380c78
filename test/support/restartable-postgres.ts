import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { startEmbeddedPostgres } from '../../src/tools/embedded/postgres'
import { testBinaries } from './database'
import { startTcpProxy, type TcpProxy } from './tcp-proxy'

export interface RestartablePostgres {
  /** Stays the same across restarts; superuser, database `postgres`. */
  readonly url: string
  /** Links to the server, whose ports take the place of the URL's. */
  readonly links: readonly TcpProxy[]
  /** SIGINT (sessions end, all is written) or SIGQUIT (as in a crash: recovery at the next start). */
  halt(how: 'fast' | 'immediate'): Promise<void>
  /** On the same data, after `halt`. */
  start(): Promise<void>
  /** Ends it, with its data. */
  stop(): Promise<void>
}

/** Committed data survive a crash of the server with these settings; only a crash of the machine could lose them. */
const makeQuick = async (url: string): Promise<void> => {
  const client = new Client({ connectionString: url })
  await client.connect()
  await client.query('alter system set fsync = off')
  await client.query('alter system set full_page_writes = off')
  await client.query('select pg_reload_conf()')
  await client.end()
}

/**
 * A server that can be ended and started again on its data, with links to it that can go wrong apart from each other. Its
 * data are kept in a directory below `home`.
 */
export const startRestartablePostgres = async (
  links: number,
  home?: string,
): Promise<RestartablePostgres> => {
  const dataDir = await mkdtemp(join(home ?? tmpdir(), 'device-move-postgres-'))
  let server = await startEmbeddedPostgres({ dataDir, binaries: testBinaries() })
  await makeQuick(server.url)
  // A new start takes another port, so every client comes by a proxy. The first proxy is never disturbed.
  const port = () => Number(new URL(server.url).port)
  const [plain, ...others] = await Promise.all([
    startTcpProxy(port()),
    ...Array.from({ length: links }, () => startTcpProxy(port())),
  ])
  const url = new URL(server.url)
  url.port = String(plain.port)
  return {
    url: url.href,
    links: others,
    halt: async how => {
      if (how === 'immediate') {
        const [pid] = (await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')
        process.kill(Number(pid), 'SIGQUIT')
      }
      await server.stop()
    },
    start: async () => {
      server = await startEmbeddedPostgres({ dataDir, binaries: testBinaries() })
      for (const proxy of [plain, ...others]) proxy.target(port())
    },
    stop: async () => {
      await Promise.all([plain, ...others].map(proxy => proxy.close()))
      await server.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
