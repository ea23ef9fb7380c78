/** True if a host name, written as `URL` writes it, is this machine: 127.0.0.0/8, `[::1]` or `localhost`. */
export const isLoopback = (hostname: string): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)
