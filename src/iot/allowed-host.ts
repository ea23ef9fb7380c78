/** This machine: 127.0.0.0/8, ::1 and `localhost`, as `URL` writes them. */
export const isLoopback = (hostname: string): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)

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
