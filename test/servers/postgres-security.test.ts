import { chmod, chown, copyFile, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/tools/embedded/postgres'
import { type Authority, type CertificateFiles, createAuthority } from '../support/certificates'
import { runCli } from '../support/cli-process'
import { query, type TestDatabase, testBinaries } from '../support/database'
import { createDeployment, type Deployment, names, quickJobs } from '../support/deployment'
import { describeKafka } from '../support/kafka'

jest.setTimeout(120_000)

const password = 'a-password-of-the-owner'

/** Lets the server show `files` from its next session on. */
const showCertificate = async (
  url: string,
  dataDir: string,
  { cert, key }: CertificateFiles,
): Promise<void> => {
  const { uid, gid } = await stat(dataDir)
  for (const [from, to] of [
    [cert, 'server.crt'],
    [key, 'server.key'],
  ] as const) {
    const place = join(dataDir, to)
    await copyFile(from, place)
    await chmod(place, 0o600)
    await chown(place, uid, gid)
  }
  await query(url, 'alter system set ssl = on')
  await query(url, 'select pg_reload_conf()')
}

describeKafka('on a database over TLS, as the owner of the database who is no superuser,', () => {
  let authority: Authority
  let stranger: Authority
  let dataDir: string
  let server: EmbeddedPostgres
  let good: CertificateFiles
  let deployment: Deployment | undefined

  beforeAll(async () => {
    ;[authority, stranger] = await Promise.all([createAuthority(), createAuthority()])
    good = await authority.issue('database', 'IP:127.0.0.1')
    dataDir = await mkdtemp(join(tmpdir(), 'device-move-postgres-'))
    server = await startEmbeddedPostgres({ dataDir, binaries: testBinaries() })
    await query(server.url, `create role mover login password '${password}'`)
    await query(server.url, 'create database fleet owner mover')
    await showCertificate(server.url, join(dataDir, 'postgres'), good)
  })
  afterAll(async () => {
    await server.stop()
    await rm(dataDir, { recursive: true, force: true })
    await authority.remove()
    await stranger.remove()
  })
  afterEach(async () => {
    await deployment?.stop()
    deployment = undefined
  })

  const urlWith = (change: (url: URL) => void = () => undefined): string => {
    const url = new URL(server.url)
    url.username = 'mover'
    url.password = password
    url.pathname = '/fleet'
    url.searchParams.set('sslmode', 'verify-full')
    url.searchParams.set('sslrootcert', authority.ca)
    change(url)
    return url.href
  }
  const fleet = async (): Promise<TestDatabase> => ({ url: urlWith(), drop: async () => undefined })
  const migrate = (url: string) => runCli(['migrate'], { DATABASE_URL: url })

  it('migrating says which statements are left to an administrator', async () => {
    const migrated = await migrate(urlWith())
    expect(migrated).toMatchObject({ status: 0 })
    expect(`${migrated.out}${migrated.err}`).toContain('create role device_move_analyst nologin')
  })

  it('a service works, another one stands by, and takes over from it when it is frozen', async () => {
    deployment = await createDeployment(quickJobs, {}, { makeDatabase: fleet })
    const first = deployment.run()
    await first.line(line => line.includes('"lease-held"'))
    const second = deployment.run()
    await second.line(line => line.includes('"standing-by"'))
    await deployment.submit(names('before', 20))
    await deployment.settled(20)
    const inUse = await query<{ ssl: boolean; usesuper: boolean }>(
      server.url,
      `select distinct ssl, usesuper from pg_stat_ssl join pg_stat_activity using (pid) join pg_user using (usesysid)
       where application_name like 'device-move/%'`,
    )
    expect(inUse).toEqual([{ ssl: true, usesuper: false }])
    first.kill('SIGSTOP')
    await second.line(line => line.includes('"lease-held"'))
    await deployment.submit(names('after', 20))
    expect(await deployment.settled(40)).toMatchObject({ moved: 40, gap: 0 })
    await deployment.published()
  })

  it.each<[string, () => string, string]>([
    [
      'a wrong password',
      () => urlWith(url => (url.password = 'not-its-password')),
      'Check the user and the password in DATABASE_URL',
    ],
    [
      'an authority that did not sign',
      () => urlWith(url => url.searchParams.set('sslrootcert', stranger.ca)),
      'Give the server’s certificate authority as sslrootcert in DATABASE_URL.',
    ],
    [
      'an authority that nobody named',
      () => urlWith(url => url.searchParams.delete('sslrootcert')),
      'Give the server’s certificate authority as sslrootcert in DATABASE_URL.',
    ],
    [
      'sslmode=require and an authority that nobody named, because that checks as much',
      () =>
        urlWith(url => {
          url.searchParams.delete('sslrootcert')
          url.searchParams.set('sslmode', 'require')
        }),
      'Give the server’s certificate authority as sslrootcert in DATABASE_URL.',
    ],
    [
      'a certificate of another name',
      () => urlWith(url => (url.hostname = 'localhost')),
      'Name the server in DATABASE_URL as its certificate does',
    ],
  ])('%s ends the service, which says what to do', async (_what, url, advice) => {
    const environment = { DATABASE_URL: url(), KAFKA_BROKERS: '127.0.0.1:1', HTTP_PORT: '0' }
    const keys = { ALIBABA_CLOUD_ACCESS_KEY_ID: 'id', ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'secret' }
    const ended = await runCli(['run'], { ...environment, ...keys })
    expect(ended).toMatchObject({ status: 1, err: expect.stringContaining(advice) })
    expect(ended.err).not.toContain('not-its-password')
  })

  it('a service waits while the certificate of the server is expired, and starts when it is renewed', async () => {
    const place = join(dataDir, 'postgres')
    await showCertificate(server.url, place, await authority.issue('old', 'IP:127.0.0.1', -1))
    deployment = await createDeployment(quickJobs, {}, { makeDatabase: fleet })
    const service = deployment.run()
    await service.line(line => line.includes('waiting for the database') && line.includes('expired'))
    await showCertificate(server.url, place, good)
    await service.line(line => line.includes('"lease-held"'))
  })
})
