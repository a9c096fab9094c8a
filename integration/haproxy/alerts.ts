import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { haproxyBinary } from '../harness/haproxy.ts';

/**
 * What `haproxy -c` has against a file with this text, which is put into `dir`: its alerts, none where it takes it.
 * Rejects where HAProxy cannot be run, or refuses without a word.
 */
export async function alertsOf(text: string, dir: string): Promise<readonly string[]> {
  const file = join(dir, 'candidate.cfg');
  await writeFile(file, text);
  return new Promise((resolve, reject) => {
    execFile(haproxyBinary, ['-c', '-f', file], (error, stdout, stderr) => {
      const alerts = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('[ALERT]'));
      if (error !== null && alerts.length === 0) reject(error);
      else resolve(alerts);
    });
  });
}
