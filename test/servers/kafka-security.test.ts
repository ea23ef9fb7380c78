import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Authority, type CertificateFiles, createAuthority } from '../support/certificates'
import { runCli } from '../support/cli-process'
import { createDeployment, type Deployment, quickJobs } from '../support/deployment'
import { describeKafka } from '../support/kafka'
import { requestsCsv } from '../support/move-stage'
import { readTopic } from '../support/read-topic'
import { untilReady, untilUnready } from '../support/readiness'
import { kafkaUser, type SecureKafka, type SecureListener, startSecureKafka } from '../support/secure-kafka'

jest.setTimeout(120_000)

type Settings = Readonly<Record<string, string>>

describeKafka('over TLS,', () => {
  let authority: Authority
  let stranger: Authority
  let own: CertificateFiles
  let kafka: SecureKafka
  let deployment: Deployment
  const shared = process.env.TEST_KAFKA_BROKERS

  beforeAll(async () => {
    ;[authority, stranger] = await Promise.all([createAuthority(), createAuthority()])
    own = await authority.issue('own', 'DNS:device-move')
    kafka = await startSecureKafka(authority)
    process.env.TEST_KAFKA_BROKERS = kafka.brokers.join(',')
    deployment = await createDeployment(quickJobs)
  })
  afterAll(async () => {
    await deployment.stop()
    process.env.TEST_KAFKA_BROKERS = shared
    await kafka.stop()
    await authority.remove()
    await stranger.remove()
  })
  /** How often 20 requests were submitted, each time with new ids. */
  let lists = 0

  const over = (listener: SecureListener, more: Settings = {}): Settings => ({
    KAFKA_BROKERS: kafka.address[listener],
    KAFKA_SSL: 'true',
    KAFKA_SSL_CA: authority.ca,
    ...more,
  })
  const loginBy = (mechanism: string, password = kafkaUser.password): Settings => ({
    KAFKA_SASL_MECHANISM: mechanism,
    KAFKA_SASL_USERNAME: kafkaUser.name,
    KAFKA_SASL_PASSWORD: password,
  })
  const certificate = ({ cert, key }: CertificateFiles): Settings => ({
    KAFKA_SSL_CERT: cert,
    KAFKA_SSL_KEY: key,
  })
  const submit = (settings: Settings) =>
    runCli(['submit', '-'], { ...deployment.environment, ...settings }, requestsCsv(20, `list-${lists}.`))

  it.each<[string, () => Settings]>([
    ['an authority of one’s own', () => over('tls')],
    ['a certificate of one’s own', () => over('mutual', certificate(own))],
    ['a password (PLAIN)', () => over('plain', loginBy('plain'))],
    ['a password (SCRAM-SHA-256)', () => over('scram', loginBy('scram-sha-256'))],
    ['a password (SCRAM-SHA-512)', () => over('scram', loginBy('scram-sha-512'))],
    ['another name, where that is accepted', () => over('elsewhere', { KAFKA_SSL_CHECK_HOSTNAME: 'false' })],
  ])('requests are submitted, taken in and published with %s', async (_what, settings) => {
    lists += 1
    const service = deployment.run(settings())
    const submitted = await submit(settings())
    expect(submitted).toMatchObject({ status: 0 })
    expect(await deployment.settled(20 * lists)).toMatchObject({ moved: 20 * lists, gap: 0 })
    await deployment.published()
    const results = await readTopic(deployment.topics.results)
    const ids = results.map(({ value }) => (JSON.parse(String(value)) as { id: string }).id)
    expect(ids).toHaveLength(20 * lists)
    expect(new Set(ids).size).toBe(20 * lists)
    service.kill('SIGTERM')
    expect(await service.ended).toBe(0)
  })

  it.each<[string, () => Settings, string]>([
    [
      'a wrong password (PLAIN)',
      () => over('plain', loginBy('plain', 'not-its-password')),
      'Check KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD',
    ],
    [
      'a wrong password (SCRAM)',
      () => over('scram', loginBy('scram-sha-512', 'not-its-password')),
      'Check KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD',
    ],
    [
      'a mechanism that the broker does not offer',
      () => over('plain', loginBy('scram-sha-256')),
      'Check KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD',
    ],
    [
      'an authority that nobody named',
      () => over('tls', { KAFKA_SSL_CA: '' }),
      'Give the authority that signed the certificate of the broker as KAFKA_SSL_CA.',
    ],
    [
      'an authority that did not sign',
      () => over('tls', { KAFKA_SSL_CA: stranger.ca }),
      'Give the authority that signed the certificate of the broker as KAFKA_SSL_CA.',
    ],
    [
      'an expired certificate',
      () => over('expired'),
      'The certificate of the broker is too old: renew it there.',
    ],
    [
      'a certificate of another name',
      () => over('elsewhere'),
      'KAFKA_SSL_CHECK_HOSTNAME=false accepts another name.',
    ],
    [
      'no certificate where the broker asks for one',
      () => over('mutual'),
      'The broker asks for a certificate that it trusts: check KAFKA_SSL_CERT and KAFKA_SSL_KEY.',
    ],
    [
      'a port without TLS',
      () => over('tls', { KAFKA_BROKERS: kafka.brokers.join(',') }),
      'name another one in KAFKA_BROKERS, or unset KAFKA_SSL.',
    ],
    [
      'a port with TLS, and no TLS here',
      () => ({ KAFKA_BROKERS: kafka.address.tls }),
      'wants TLS (KAFKA_SSL).',
    ],
  ])(
    '%s: the command ends and the service waits, and both say what to do',
    async (_what, settings, advice) => {
      const service = deployment.run(settings())
      const submitted = await submit(settings())
      expect(submitted).toMatchObject({ status: 1, err: expect.stringContaining(advice) })
      expect(submitted.err).not.toContain('    at ')
      await untilUnready(service, advice)
      await service.line(line => line.includes('"retrying"') && line.includes(advice))
      service.kill('SIGTERM')
      expect(await service.ended).toBe(0)
      expect(service.stderr.join('\n')).not.toContain('not-its-password')
    },
  )

  it('a certificate that is renewed on disk is used at the next connection', async () => {
    const files = {
      cert: join(authority.directory, 'renewed.pem'),
      key: join(authority.directory, 'renewed.key'),
    }
    const old = await authority.issue('old', 'DNS:device-move', -1)
    await copyFile(old.cert, files.cert)
    await copyFile(old.key, files.key)
    const service = deployment.run(over('mutual', { KAFKA_SSL_CERT: files.cert, KAFKA_SSL_KEY: files.key }))
    await untilUnready(service, 'KAFKA_SSL_CERT')
    await copyFile(own.key, files.key)
    await copyFile(own.cert, files.cert)
    await untilReady(service)
  })
})
