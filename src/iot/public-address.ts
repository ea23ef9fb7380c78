import { BlockList, isIP } from 'node:net'

type Ranges = readonly [what: string, subnets: readonly string[]]

/** What is no address of the public Internet (IANA's special-purpose registries), by what it is instead. */
const special: readonly Ranges[] = [
  ['a loopback address', ['127.0.0.0/8', '::1/128']],
  ['a private address', ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7', 'fec0::/10']],
  ['a link-local address', ['169.254.0.0/16', 'fe80::/10']],
  // Alibaba Cloud's internal network, its metadata service (100.100.100.200) and carrier-grade NAT.
  ['an address inside the provider’s network, as internal endpoints of OSS have', ['100.64.0.0/10']],
  ['a multicast address', ['224.0.0.0/4', 'ff00::/8']],
  [
    'a reserved address',
    [
      '0.0.0.0/8',
      '192.0.0.0/24',
      '192.0.2.0/24',
      '192.88.99.0/24',
      '198.18.0.0/15',
      '198.51.100.0/24',
      '203.0.113.0/24',
      '240.0.0.0/4',
      // Teredo, benchmarks and the like; documentation; 6to4, which hides an IPv4 address.
      '2001::/23',
      '2001:db8::/32',
      '2002::/16',
      '3fff::/20',
    ],
  ],
]

const asList = (subnets: readonly string[]): BlockList => {
  const list = new BlockList()
  for (const subnet of subnets) {
    const [network = '', prefix] = subnet.split('/')
    list.addSubnet(network, Number(prefix), network.includes(':') ? 'ipv6' : 'ipv4')
  }
  return list
}

const lists = special.map(([what, subnets]) => ({ what, list: asList(subnets) }))
/** All of the public IPv6 Internet; outside lie ::, IPv4 in IPv6 clothes and NAT64. */
const globalUnicast = asList(['2000::/3'])

/** null for an address of the public Internet, else what it is instead. */
export const whyNotPublic = (address: string): string | null => {
  // An interface's name after % is no part of the address.
  const [bare = ''] = address.split('%')
  const version = isIP(bare)
  if (version === 0) return 'no address'
  const family = version === 6 ? 'ipv6' : 'ipv4'
  const found = lists.find(({ list }) => list.check(bare, family))
  if (found !== undefined) return found.what
  return version === 6 && !globalUnicast.check(bare, family) ? 'a reserved address' : null
}
