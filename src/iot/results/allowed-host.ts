/** From which hosts and addresses a result file may be fetched. */
import type { LookupAddress } from 'node:dns'
import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'
import { isLoopback } from '../../domain/loopback'

const matches = (hostname: string, pattern: string): boolean =>
  // The dot is compared too: `*.aliyuncs.com` is neither `evil-aliyuncs.com` nor `aliyuncs.com` itself.
  pattern.startsWith('*.')
    ? hostname.endsWith(pattern.slice(1)) && hostname.length > pattern.length - 1
    : hostname === pattern

export type HostCheck = (url: string) => { readonly url: URL } | { readonly refusal: string }

/**
 * Says whether a result file may be fetched from a URL: its host is listed (`*.` in front stands for one label or more),
 * and it is https at port 443, or on this machine, where http and any port are allowed too. A refusal names the host only.
 * The URL to fetch is the one that it gives, so that the host asked is the host compared.
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

/** Addresses outside the public Internet (IANA's special-purpose registries), by what they are. */
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
      // In this order: Teredo, benchmarks and others; documentation; 6to4, which hides an IPv4 address; documentation.
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
/** All of the public IPv6 Internet. Outside of it lie ::, IPv4 addresses written as IPv6, and NAT64. */
const globalUnicast = asList(['2000::/3'])

/** Null for an address of the public Internet, else what it is. */
export const whyNotPublic = (address: string): string | null => {
  // The name of an interface after % is not part of the address.
  const [bare = ''] = address.split('%')
  const version = isIP(bare)
  if (version === 0) return 'no address'
  const family = version === 6 ? 'ipv6' : 'ipv4'
  const found = lists.find(({ list }) => list.check(bare, family))
  if (found !== undefined) return found.what
  return version === 6 && !globalUnicast.check(bare, family) ? 'a reserved address' : null
}

/** Every address of a host name; of an address, the address itself. Rejects with the resolver's error. */
export type Resolve = (hostname: string) => Promise<readonly LookupAddress[]>

export const systemResolve: Resolve = hostname => lookup(hostname, { all: true })

export type ResolvedHost = { readonly addresses: readonly LookupAddress[] } | { readonly refusal: string }

/**
 * The addresses that a result file may be fetched from. A host is refused if one of its addresses is not of the public
 * Internet (for a loopback host: not of this machine), because a name may point inwards in part. The caller must connect
 * to one of these addresses and not ask the resolver again, which may answer differently the second time.
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
