import type { LookupAddress } from 'node:dns'
import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'
import { isLoopback } from '../../domain/loopback'

const matches = (hostname: string, pattern: string): boolean =>
  // With the dot: `*.aliyuncs.com` is no `evil-aliyuncs.com`, and not `aliyuncs.com` itself.
  pattern.startsWith('*.')
    ? hostname.endsWith(pattern.slice(1)) && hostname.length > pattern.length - 1
    : hostname === pattern

export type HostCheck = (url: string) => { readonly url: URL } | { readonly refusal: string }

/**
 * Says whether a result file may be fetched from a URL: its host is listed (`*.` in front stands for one label or
 * more), and it is https at its own port, or on this machine, where http and any port will do. A refusal names the
 * host only. The URL it gives is the one to fetch: what was compared is what is asked.
 */
export const createHostCheck = (allowedHosts: readonly string[]): HostCheck => {
  const patterns = allowedHosts.map(host => host.toLowerCase())
  return text => {
    if (!URL.canParse(text)) return { refusal: 'the address of the result file is no URL' }
    const url = new URL(text)
    const hostname = url.hostname.replace(/\.$/, '')
    const local = isLoopback(hostname)
    if (url.protocol !== 'https:' && !(url.protocol === 'http:' && local))
      return { refusal: `a result file is fetched by https only, not ${url.protocol}//${hostname}` }
    if (url.username !== '' || url.password !== '')
      return { refusal: `the address of the result file holds a user name before ${hostname}` }
    if (!patterns.some(pattern => matches(hostname, pattern)))
      return { refusal: `${hostname} is not among the hosts of RESULT_FILE_HOSTS` }
    if (url.port !== '' && !local)
      return { refusal: `a result file is fetched at port 443 only, not ${hostname}:${url.port}` }
    url.hostname = hostname
    return { url }
  }
}

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

/** Every address of a host name; an address is its own. Rejects with the resolver's error. */
export type Resolve = (hostname: string) => Promise<readonly LookupAddress[]>

export const systemResolve: Resolve = hostname => lookup(hostname, { all: true })

export type ResolvedHost = { readonly addresses: readonly LookupAddress[] } | { readonly refusal: string }

/**
 * The addresses a result file may be fetched from. All must be of the public Internet (of this machine where the host
 * is), or none is: a name that points inwards, at times or in part, is not asked. Whoever connects must use these
 * and not ask the resolver again, which may answer otherwise the second time.
 */
export const resolveHost = async (hostname: string, resolve: Resolve): Promise<ResolvedHost> => {
  const addresses = await resolve(hostname.replace(/^\[(.*)\]$/, '$1'))
  if (addresses.length === 0) return { refusal: `${hostname} has no address` }
  for (const { address } of addresses) {
    const why = whyNotPublic(address)
    const wanted = isLoopback(hostname) ? why === 'a loopback address' : why === null
    if (!wanted) return { refusal: `${hostname} stands for ${address}: ${why ?? 'not this machine'}` }
  }
  return { addresses }
}
