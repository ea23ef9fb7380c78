import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../../../src/app/config'
import { type Authority, type CertificateFiles, createAuthority } from '../../support/certificates'

describe('the files for TLS to the brokers', () => {
  let authority: Authority
  let own: CertificateFiles
  let other: CertificateFiles
  let directory: string

  beforeAll(async () => {
    authority = await createAuthority()
    own = await authority.issue('own', 'DNS:own')
    other = await authority.issue('other', 'DNS:other')
    directory = await mkdtemp(join(tmpdir(), 'device-move-tls-'))
  })
  afterAll(async () => {
    await authority.remove()
    await rm(directory, { recursive: true, force: true })
  })

  const problemsOf = (environment: Readonly<Record<string, string>>): readonly string[] => {
    const loaded = loadConfig({ KAFKA_SSL: 'true', ...environment })
    return loaded.ok ? [] : loaded.problems
  }
  const fileWith = async (content: string): Promise<string> => {
    const path = join(directory, `${content.length}.pem`)
    await writeFile(path, content)
    return path
  }

  it('are accepted where they are there and fit', () => {
    const loaded = loadConfig({
      KAFKA_SSL: 'true',
      KAFKA_SSL_CA: authority.ca,
      KAFKA_SSL_CERT: own.cert,
      KAFKA_SSL_KEY: own.key,
      KAFKA_SSL_CHECK_HOSTNAME: 'false',
    })
    expect(loaded).toMatchObject({
      ok: true,
      config: { kafkaSslCa: authority.ca, kafkaSslKey: own.key, kafkaSslCheckHostname: false },
    })
  })

  it('that cannot be read are a problem', () => {
    expect(problemsOf({ KAFKA_SSL_CA: '/nowhere/ca.pem', KAFKA_SSL_KEY: directory })).toEqual([
      expect.stringMatching(/^KAFKA_SSL_CA names a file that cannot be read \(ENOENT.*correct the path/),
      expect.stringMatching(/^KAFKA_SSL_KEY names a file that cannot be read \(EISDIR/),
    ])
  })

  it('that hold something else are a problem, which repeats nothing of it', async () => {
    const path = await fileWith('top secret')
    const damaged = await fileWith('-----BEGIN CERTIFICATE-----\nabcd\n-----END CERTIFICATE-----\n')
    const problems = problemsOf({ KAFKA_SSL_CA: path, KAFKA_SSL_CERT: damaged, KAFKA_SSL_KEY: path })
    expect(problems).toEqual([
      expect.stringContaining('KAFKA_SSL_CA must name a file that holds a certificate in PEM'),
      expect.stringContaining('KAFKA_SSL_CERT names a file with a damaged certificate'),
      expect.stringContaining('KAFKA_SSL_KEY must name a file that holds a private key in PEM'),
    ])
    expect(problems.join()).not.toContain('top secret')
  })

  it('with an encrypted key are a problem', async () => {
    const { privateKey } = generateKeyPairSync('ec', {
      namedCurve: 'prime256v1',
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
    })
    const path = await fileWith(privateKey)
    expect(problemsOf({ KAFKA_SSL_KEY: path, KAFKA_SSL_CERT: own.cert })).toEqual([
      expect.stringContaining('KAFKA_SSL_KEY names a file with an encrypted key: decrypt it'),
    ])
  })

  it.each<[string, () => Readonly<Record<string, string>>, string]>([
    ['a certificate without its key', () => ({ KAFKA_SSL_CERT: own.cert }), 'set both or none'],
    ['a key without its certificate', () => ({ KAFKA_SSL_KEY: own.key }), 'set both or none'],
    [
      'the key of another certificate',
      () => ({ KAFKA_SSL_CERT: own.cert, KAFKA_SSL_KEY: other.key }),
      'KAFKA_SSL_KEY does not fit KAFKA_SSL_CERT',
    ],
    [
      'an authority without TLS',
      () => ({ KAFKA_SSL: 'false', KAFKA_SSL_CA: authority.ca }),
      'need KAFKA_SSL=true',
    ],
  ])('that do not go together are a problem: %s', (_what, environment, problem) => {
    expect(problemsOf(environment())).toEqual([expect.stringContaining(problem)])
  })
})
