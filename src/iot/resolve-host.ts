import type { LookupAddress } from 'node:dns'
import { lookup } from 'node:dns/promises'
import { isLoopback } from './allowed-host'
import { whyNotPublic } from './public-address'

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
