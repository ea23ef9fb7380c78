import { createHostCheck } from '../../../src/iot/results/allowed-host'

const check = createHostCheck(['*.aliyuncs.com', 'files.example.org', '127.0.0.1', '[::1]'])
const allowed = (url: string) => 'url' in check(url)

describe('the check of result file hosts', () => {
  it.each([
    'https://iotx-1.oss-cn-shanghai.aliyuncs.com/job1/7u?Expires=1&Signature=x',
    'https://a.aliyuncs.com/',
    'https://A.ALIYUNCS.COM/',
    'https://a.aliyuncs.com./',
    'https://a.aliyuncs.com:443/',
    // `URL` reads a backslash as a slash, so all behind it is path.
    'https://a.aliyuncs.com\\@evil.org:443@x/',
    'https://ａ.aliyuncs。com/',
    'https://files.example.org/x',
    'http://127.0.0.1:8080/x',
    'http://[::1]:8080/x',
  ])('allows %s', url => {
    expect(allowed(url)).toBe(true)
  })

  it.each([
    'https://aliyuncs.com/',
    'https://a.aliyuncs.com:8443/',
    'https://a.aliyuncs.com:80/',
    'https://a.aliyuncs.com../',
    'https://a.aliyuncs.com%2eevil.org/',
    'https://a.aliyuncs.com%00.evil.org/',
    'https://evilaliyuncs.com/',
    'https://xn--aliyuncs-9kd.com/',
    'https://[::ffff:127.0.0.1]/',
    'http://2130706434/',
    'https://evil-aliyuncs.com/',
    'https://.aliyuncs.com/',
    'https://a.aliyuncs.com.evil.org/',
    'https://evil.org/?.aliyuncs.com',
    'https://a.aliyuncs.com@evil.org/',
    'https://user@a.aliyuncs.com/',
    'https://sub.files.example.org/',
    'http://a.aliyuncs.com/',
    'http://files.example.org/x',
    'http://127.0.0.2/',
    'http://127.0.0.1.evil.org/',
    'http://localhost/',
    'http://169.254.169.254/latest/meta-data',
    'file:///etc/passwd',
    'ftp://a.aliyuncs.com/',
    'data:text/plain,x',
    '//a.aliyuncs.com/x',
    '',
  ])('refuses %j', url => {
    expect(allowed(url)).toBe(false)
  })

  it('gives a URL with the very host that it compared', () => {
    expect(check('https://A.Aliyuncs.com./x?y=1')).toEqual({ url: new URL('https://a.aliyuncs.com/x?y=1') })
  })

  it('does not repeat a signature when it refuses', () => {
    expect(check('https://evil.org/path?Signature=abc')).toEqual({
      refusal: 'evil.org is not among the hosts of RESULT_FILE_HOSTS',
    })
  })
})
