const loopbackName = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i
const loopbackAddress = /^(127\.|::1$|::ffff:127\.)/

/**
 * Says whether a request's Host header is one that is meant here. On this machine's own address only its own names are:
 * a web page whose name was made to stand for 127.0.0.1 sends that name, and is not to read what the browser's user
 * may. A request without the header comes from no browser. On other addresses every name may be right.
 * @param address the one listened on, as the socket has it
 */
export const createHostHeaderCheck =
  (address: string) =>
  (host: string | undefined): boolean =>
    host === undefined || !loopbackAddress.test(address) || loopbackName.test(host)
