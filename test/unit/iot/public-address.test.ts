import fc from 'fast-check'
import { whyNotPublic } from '../../../src/iot/results/allowed-host'

describe('the check of public addresses', () => {
  it.each([
    '47.110.177.1',
    '8.8.8.8',
    '100.63.255.255',
    '100.128.0.1',
    '172.15.255.255',
    '172.32.0.1',
    '2401:b180::1',
    '2606:4700::1111',
  ])('accepts %s', address => {
    expect(whyNotPublic(address)).toBeNull()
  })

  it.each([
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['::1', 'loopback'],
    ['10.0.0.1', 'private'],
    ['172.16.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['192.168.1.1', 'private'],
    ['fd00::1', 'private'],
    ['fec0::1', 'private'],
    ['169.254.169.254', 'link-local'],
    ['fe80::1', 'link-local'],
    ['fe80::1%eth0', 'link-local'],
    ['100.100.100.200', 'internal endpoints of OSS'],
    ['100.118.28.52', 'internal endpoints of OSS'],
    ['224.0.0.1', 'multicast'],
    ['ff02::1', 'multicast'],
    ['0.0.0.0', 'reserved'],
    ['255.255.255.255', 'reserved'],
    ['198.18.0.1', 'reserved'],
    ['::', 'reserved'],
    ['2002:7f00:1::', 'reserved'],
    ['2001:0:7f00:1::', 'reserved'],
    ['64:ff9b::a00:1', 'reserved'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['::ffff:a00:1', 'private'],
    ['::ffff:8.8.8.8', 'reserved'],
    ['', 'no address'],
    ['example.org', 'no address'],
    ['127.1', 'no address'],
  ])('refuses %j: %s', (address, what) => {
    expect(whyNotPublic(address)).toContain(what)
  })

  it('refuses every IPv4 address in IPv6 notation', () => {
    fc.assert(
      fc.property(fc.ipV4(), address => {
        expect(whyNotPublic(`::ffff:${address}`)).not.toBeNull()
      }),
    )
  })
})
