import { advised } from '../../../src/kafka/advice'

const errorOf = (message: string, code?: string): Error => Object.assign(new Error(message), { code })

describe('an error of the brokers', () => {
  it.each([
    [errorOf('SASL PLAIN authentication failed'), 'KAFKA_SASL_PASSWORD'],
    [errorOf('Connection error: certificate has expired', 'CERT_HAS_EXPIRED'), 'renew it there'],
    [errorOf('Hostname/IP does not match', 'ERR_TLS_CERT_ALTNAME_INVALID'), 'KAFKA_SSL_CHECK_HOSTNAME=false'],
    [errorOf('self-signed certificate in certificate chain', 'SELF_SIGNED_CERT_IN_CHAIN'), 'KAFKA_SSL_CA'],
    [errorOf('Not authorized to access topics'), 'Let this user have the topic'],
    [errorOf('requests/3 has no leader: the broker that holds it is away'), 'Bring that broker back'],
    [errorOf('connect ECONNREFUSED 127.0.0.1:9092', 'ECONNREFUSED'), 'can be reached'],
  ])('is told with what to do: %s', (error, advice) => {
    expect(advised(error)).toContain(`${error.message}. `)
    expect(advised(error)).toContain(advice)
  })

  it('is told by what caused it', () => {
    const cause = errorOf('unable to verify the first certificate', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE')
    expect(advised(new Error('gave up', { cause }))).toMatch(
      /^gave up\. Give the authority .* as KAFKA_SSL_CA\.$/,
    )
  })

  it('is told without the places of OpenSSL in it', () => {
    const raw =
      'Connection error: 809CEB6D7D7F0000:error:0A000412:SSL routines:ssl3_read_bytes:sslv3 alert bad ' +
      'certificate:../deps/openssl/openssl/ssl/record/rec_layer_s3.c:1601:SSL alert number 42\n'
    expect(advised(errorOf(raw))).toBe(
      'Connection error: sslv3 alert bad certificate. The broker asks for a certificate that it trusts: check ' +
        'KAFKA_SSL_CERT and KAFKA_SSL_KEY.',
    )
  })

  it('is told as it is where nothing is known', () => {
    expect(advised(new Error('strange.'))).toBe('strange')
  })
})
