import { createHostCheck } from '../../../src/iot/allowed-host'

const check = createHostCheck(['*.aliyuncs.com', 'files.example.org', '127.0.0.1', '[::1]'])
const allowed = (url: string) => 'url' in check(url)

describe('hosts of result files', () => {
  it.each([
    'https://iotx-1.oss-cn-shanghai.aliyuncs.com/job1/7u?Expires=1&Signature=x',
    'https://a.aliyuncs.com/',
    'https://A.ALIYUNCS.COM/',
    'https://a.aliyuncs.com./',
    'https://a.aliyuncs.com:8443/',
    'https://files.example.org/x',
    'http://127.0.0.1:8080/x',
    'http://[::1]:8080/x',
  ])('allows %s', url => {
    expect(allowed(url)).toBe(true)
  })

  it.each([
    'https://aliyuncs.com/',
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

  it('does not repeat a signature when it refuses', () => {
    expect(check('https://evil.org/path?Signature=abc')).toEqual({
      refusal: 'evil.org is not among the hosts of RESULT_FILE_HOSTS',
    })
  })
})
