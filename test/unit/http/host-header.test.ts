import { createHostHeaderCheck } from '../../../src/http/server'

describe('the Host header of a request', () => {
  it.each(['localhost:8080', 'LOCALHOST', '127.0.0.1:8080', '127.8.9.1', '[::1]:8080', undefined])(
    'may be %s where a loopback address is listened on',
    host => {
      expect(createHostHeaderCheck('127.0.0.1')(host)).toBe(true)
    },
  )

  it.each([
    'evil.example',
    'evil.example:8080',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '10.0.0.1',
    '',
  ])('may not be %j where a loopback address is listened on', host => {
    for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1'])
      expect(createHostHeaderCheck(address)(host)).toBe(false)
  })

  it.each(['0.0.0.0', '::', '10.1.2.3'])('may be any name where %s is listened on', address => {
    expect(createHostHeaderCheck(address)('device-move.svc.cluster.local:8080')).toBe(true)
  })
})
