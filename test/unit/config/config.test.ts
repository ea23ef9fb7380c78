import { loadConfig, secretsOf } from '../../../src/app/config'
import { variables } from '../../../src/app/config-table'

const problemsOf = (environment: Record<string, string>, required: Parameters<typeof loadConfig>[1] = []) => {
  const loaded = loadConfig(environment, required)
  return loaded.ok ? [] : loaded.problems
}

describe('the configuration', () => {
  it('has every default in an empty environment', () => {
    const loaded = loadConfig({})
    expect(loaded).toMatchObject({
      ok: true,
      config: {
        kafkaBrokers: null,
        kafkaTransactionalId: 'device-move.publisher',
        quotaQps: 2,
        quotaJobs: 10,
        batchMaxDevices: 10_000,
        batchMaxWaitMs: 5_000,
        retryMaxAttempts: 5,
        callTimeoutMs: 20_000,
        createSettleMs: 60_000,
        resultFileHosts: ['*.aliyuncs.com'],
        httpHost: '127.0.0.1',
        resultsCloudEvents: true,
      },
    })
  })

  it('names the publisher after the consumer group', () => {
    const loaded = loadConfig({ KAFKA_GROUP_ID: 'blue' })
    expect(loaded.ok && loaded.config.kafkaTransactionalId).toBe('blue.publisher')
  })

  it('treats an empty variable as unset', () => {
    const loaded = loadConfig({ QUOTA_JOBS: ' ', HTTP_TOKEN: '' })
    expect(loaded.ok && [loaded.config.quotaJobs, loaded.config.httpToken]).toEqual([10, null])
  })

  it('reports every problem at once', () => {
    const problems = problemsOf(
      { QUOTA_JOBS: '0', QUOTA_QPS: 'two', KAFKA_SSL: 'yes', DATABASE_URL: 'mysql://x', LOG_LEVEL: 'loud' },
      ['kafkaBrokers', 'accessKeyId'],
    )
    expect(problems).toEqual([
      expect.stringContaining('KAFKA_BROKERS is not set'),
      expect.stringContaining('KAFKA_SSL must be true or false'),
      expect.stringContaining('DATABASE_URL must be a URL'),
      expect.stringContaining('ALIBABA_CLOUD_ACCESS_KEY_ID is not set'),
      expect.stringContaining('QUOTA_QPS must be a whole number from 0 to 1000'),
      expect.stringContaining('QUOTA_JOBS must be a whole number from 1 to 1000'),
      expect.stringContaining('LOG_LEVEL must be one of'),
    ])
  })

  it.each(['ALIBABA_CLOUD_ACCESS_KEY_SECRET', 'ALIBABA_CLOUD_SECURITY_TOKEN', 'HTTP_TOKEN'])(
    'does not repeat the value of a bad %s',
    name => {
      const [problem] = problemsOf({ [name]: 'top secret' })
      expect(problem).toContain(name)
      expect(problem).not.toContain('top secret')
    },
  )

  it('does not repeat the password of a bad DATABASE_URL', () => {
    expect(problemsOf({ DATABASE_URL: 'postgres://me:hunter2@[bad' }).join()).not.toContain('hunter2')
  })

  it.each([
    [{ KAFKA_SASL_MECHANISM: 'plain' }, 'KAFKA_SASL_'],
    [{ TARGET_UID: '1', TARGET_ALIYUN_ID: 'a@b' }, 'exclude each other'],
    [{ RETRY_BACKOFF_MS: '5000', RETRY_BACKOFF_MAX_MS: '10' }, 'RETRY_BACKOFF_MAX_MS'],
    [{ KAFKA_BROKERS: 'localhost' }, 'host:port'],
    [{ BATCH_MAX_DEVICES: '10001' }, 'from 1 to 10000'],
  ])('refuses %j', (environment: Record<string, string>, text) => {
    expect(problemsOf(environment)).toEqual([expect.stringContaining(text)])
  })

  it.each([
    'http://iot.cn-shanghai.aliyuncs.com',
    'http://10.0.0.5:8090',
    'http://127.0.0.1.example.org',
    'https://user:hunter2@iot.cn-shanghai.aliyuncs.com',
  ])('refuses %s as IOT_ENDPOINT', endpoint => {
    const [problem] = problemsOf({ IOT_ENDPOINT: endpoint })
    expect(problem).toMatch(/^IOT_ENDPOINT must /)
    expect(problem).not.toContain('hunter2')
  })

  it.each(['http://127.0.0.1:8090', 'http://localhost:1', 'http://[::1]:1', 'https://iot.example.org'])(
    'accepts %s as IOT_ENDPOINT',
    endpoint => {
      expect(problemsOf({ IOT_ENDPOINT: endpoint })).toEqual([])
    },
  )

  it.each(['*', '*.', '*.com', '*.*.com', 'a..b', '.a', 'a.*.com', 'https://a.com', 'a.com/x', 'a.com:443'])(
    'refuses %s in RESULT_FILE_HOSTS',
    hosts => {
      expect(problemsOf({ RESULT_FILE_HOSTS: hosts })).toEqual([expect.stringContaining('host names')])
    },
  )

  it('accepts host names with and without a wildcard in RESULT_FILE_HOSTS', () => {
    const loaded = loadConfig({
      RESULT_FILE_HOSTS: 'iotx-1.oss-cn-shanghai.aliyuncs.com, *.aliyuncs.com,127.0.0.1',
    })
    expect(loaded.ok && loaded.config.resultFileHosts).toHaveLength(3)
  })

  it('tells which of its texts must never be shown', () => {
    const secrets = secretsOf({
      ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'one',
      ALIBABA_CLOUD_SECURITY_TOKEN: 'two',
      KAFKA_SASL_PASSWORD: ' three ',
      HTTP_TOKEN: 'four',
      PGPASSWORD: 'five',
      DATABASE_URL: 'postgres://me:si%2Fx@host/db',
      KAFKA_GROUP_ID: 'public',
    })
    expect(secrets.filter(secret => secret !== '')).toEqual([
      'one',
      'two',
      'three',
      'four',
      'five',
      'si%2Fx',
      'si/x',
    ])
  })

  it.each([
    ['postgres://me:pa/ss@[host', 'pa/ss'],
    ['postgres://me:p%zz@host/db', 'p%zz'],
    ['postgres://me:p@ss@host/db', 'p@ss'],
    ['postgres://host/db?user=me&password=s%20x&ssl=1', 's x'],
    ['mysql://me:hunter2@host', 'hunter2'],
  ])('finds the password in %s', (url, password) => {
    expect(secretsOf({ DATABASE_URL: url })).toContain(password)
  })

  it('has a meaning for every variable', () => {
    for (const { name, meaning } of Object.values(variables)) {
      expect(name).toMatch(/^[A-Z_]+$/)
      expect(meaning.length).toBeGreaterThan(5)
    }
  })
})
