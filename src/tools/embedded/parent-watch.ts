/** Ends a child server when this process ends, however it ends. */
import { spawn } from 'node:child_process'

/**
 * A shell in a session of its own reads a pipe that only this process holds. When the pipe closes without `done`, this
 * process has ended, by kill -9 too. The shell then ends the watched process and removes the directory. A zombie under an
 * init that does not reap counts as ended.
 */
const script = `
trap '' HUP INT TERM
PATH=$PATH:/usr/bin:/bin
target= signal= dir=$1
while read -r verb a b; do
  case $verb in
    watch) target=$a signal=$b ;;
    free) target= ;;
    done) exit 0 ;;
  esac
done
alive() {
  kill -0 "$target" || return 1
  ! grep -q '^State:[[:space:]]*Z' "/proc/$target/status"
}
if [ -n "$target" ]; then
  kill -s "$signal" -- "$target"
  left=100
  while [ $left -gt 0 ] && alive; do sleep 0.1; left=$((left - 1)); done
  alive && kill -s KILL -- "$target"
fi
[ -z "$dir" ] || rm -rf -- "$dir"
`

export interface ParentWatch {
  /** From now on `pid` gets `signal` when this process ends, and SIGKILL 10 s later. */
  watch(pid: number, signal: NodeJS.Signals): void
  /** The child has ended: nothing is signalled any longer, because its number may soon be another process's. */
  free(): void
  /** Everything is cleaned up in good order: the watcher ends and does nothing. */
  done(): void
}

/** Starts the watcher. `removeDir` (absolute) is removed when this process ends before `done()`. */
export const createParentWatch = (removeDir?: string): ParentWatch => {
  const shell = spawn('/bin/sh', ['-c', script, 'sh', removeDir ?? ''], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
  })
  // Without a shell nothing is watched, and the server still works.
  shell.on('error', () => undefined)
  shell.stdin.on('error', () => undefined)
  shell.unref()
  if ('unref' in shell.stdin && typeof shell.stdin.unref === 'function') shell.stdin.unref()
  const say = (line: string) => {
    if (shell.stdin.writable) shell.stdin.write(`${line}\n`)
  }
  return {
    watch: (pid, signal) => say(`watch ${pid} ${signal.replace(/^SIG/, '')}`),
    free: () => say('free'),
    done: () => {
      say('done')
      shell.stdin.end()
    },
  }
}
