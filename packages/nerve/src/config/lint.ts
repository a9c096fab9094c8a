import { resolve } from 'node:path';
import {
  type ConfigIssue,
  environmentSurprises,
  formatPath,
  listServiceFiles,
  type ParsedFile,
  readConfigFile,
  readConfigText,
  serviceFileSurprises,
  yamlSurprises,
} from '@smartstack/agent';

type Environment = Readonly<Record<string, string | undefined>>;
type Raw = Readonly<Record<string, unknown>>;

/** A service as it stands in its file. */
interface Linted {
  readonly parsed: ParsedFile;
  readonly at: readonly PropertyKey[];
  readonly raw: Raw;
}

const extensions = ['yaml', 'json'] as const;

/** What in nerve's files does not do what it seems to: warnings with their places, beside the issues of reading them. */
export async function lint(file: string, env: Environment): Promise<readonly ConfigIssue[]> {
  const main = await readConfigFile(file);
  const value = isMapping(main.value) ? main.value : {};
  const inline = isMapping(value.services) ? value.services : {};
  const { service_conf_dir: conf } = value;
  const dir = typeof conf === 'string' ? resolve(conf) : undefined;
  const listed = dir === undefined ? [] : await listServiceFiles(dir, extensions).catch(() => []);
  const files = new Map(listed.map((one) => [one.service, one.file]));
  const services: Linted[] = Object.entries(inline).flatMap(([name, raw]) =>
    isMapping(raw) && !files.has(name) ? [{ parsed: main, at: ['services', name], raw }] : [],
  );
  for (const path of files.values()) {
    const parsed = await readConfigFile(path);
    if (isMapping(parsed.value)) services.push({ parsed, at: [], raw: parsed.value });
  }
  const texts = await Promise.all([file, ...files.values()].map(textIssues));
  return [
    ...environmentSurprises(env, ['NERVE_CHECK_CONFIG', 'DEBUG']),
    ...texts.flat(),
    ...stopIssues(main, value),
    ...limitIssues(main, value),
    ...(dir === undefined ? [] : await serviceFileSurprises(dir, extensions, Object.keys(inline))),
    ...services.flatMap(serviceIssues),
  ];
}

function isMapping(value: unknown): value is Raw {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

async function textIssues(file: string): Promise<readonly ConfigIssue[]> {
  const read = await readConfigText(file);
  if (!read.ok) return [];
  const erb = /<%[=#-]?/.exec(read.text);
  if (erb === null) return yamlSurprises(file, read.text);
  const before = read.text.slice(0, erb.index).split('\n');
  const message = "ERB is not expanded in nerve's files, neither here nor by the Ruby pair: this is text";
  const place = { line: before.length, column: (before.at(-1) ?? '').length + 1 };
  return [{ file, ...place, path: '', message, severity: 'warning' }, ...yamlSurprises(file, read.text)];
}

/** Ruby's nerve ends within half a second. */
function stopIssues(parsed: ParsedFile, value: Raw): readonly ConfigIssue[] {
  if (value.drain_on_stop !== true) return [];
  const path = ['drain_on_stop'];
  const message =
    "A stop waits for callers, up to drain_on_stop_max, where Ruby's nerve ended at once: whatever stops it other than systemd must wait as long";
  return [{ file: parsed.file, ...parsed.at(path), path: formatPath(path), message, severity: 'warning' }];
}

/** The shadow mode of rate_limiting is on unless it is said to be off. */
function limitIssues(parsed: ParsedFile, value: Raw): readonly ConfigIssue[] {
  const limit = value.rate_limiting;
  if (!isMapping(limit) || Object.hasOwn(limit, 'shadow_mode')) return [];
  const path = ['rate_limiting'];
  const message = 'It only counts what it would refuse, as shadow_mode is on unless told: say which is meant';
  return [{ file: parsed.file, ...parsed.at(path), path: formatPath(path), message, severity: 'warning' }];
}

function serviceIssues({ parsed, at, raw }: Linted): readonly ConfigIssue[] {
  const warn = (path: readonly PropertyKey[], message: string): ConfigIssue => {
    const whole = [...at, ...path];
    return { file: parsed.file, ...parsed.at(whole), path: formatPath(whole), message, severity: 'warning' };
  };
  const checks = Array.isArray(raw.checks) ? (raw.checks as readonly unknown[]) : [];
  const isMocked = raw.check_mocked === true;
  const nodeType = raw.node_type;
  return [
    ...(checks.length === 0 && !isMocked
      ? [
          warn(
            Object.hasOwn(raw, 'checks') ? ['checks'] : [],
            'Without checks the service is always up: add one, or say so with `check_mocked: true`',
          ),
        ]
      : []),
    ...checks.flatMap((check, index) =>
      isMapping(check)
        ? checkIssues(check).map(({ key, message }) => warn(['checks', index, key], message))
        : [],
    ),
    ...(typeof raw.port === 'string'
      ? [
          warn(
            ['port'],
            "The registration holds text, as written: Prometheus's nerve_sd_configs drops it. Take the quotes away, once nobody needs the text",
          ),
        ]
      : []),
    ...(nodeType === 'ephemeral' || nodeType === 'persistent'
      ? [
          warn(
            ['node_type'],
            "The znode's name ends in a bare `_`, without a number: two nerves of one instance_id would share it, and leader_election finds nobody. Leave node_type out for ephemeral_sequential",
          ),
        ]
      : []),
  ];
}

function checkIssues(check: Raw): readonly { readonly key: string; readonly message: string }[] {
  const isHttp = check.type === 'http' || check.type === 'https';
  const rise = Number(check.rise);
  return [
    ...(rise > 1
      ? [
          {
            key: 'rise',
            message: `The very first result counts ${rise} times, as in Ruby: after a start one success registers. rise counts from then on`,
          },
        ]
      : []),
    ...(isHttp && Number(check.timeout) > openTimeout && !Object.hasOwn(check, 'open_timeout')
      ? [
          {
            key: 'timeout',
            message: `It does not govern the connection, which has to be there after ${openTimeout} s: give open_timeout as well`,
          },
        ]
      : []),
    ...(isHttp && check.ssl === true && !Object.hasOwn(check, 'tls_verify')
      ? [
          {
            key: 'ssl',
            message:
              'The certificate is not verified, as in Ruby: give `tls_verify: true`, or false to say that it need not be',
          },
        ]
      : []),
    ...(isHttp && typeof check.namespace === 'string'
      ? [{ key: 'namespace', message: "go-nerve's name for the path: here it is `uri`" }]
      : []),
  ];
}

/** Default of open_timeout, in seconds. */
const openTimeout = 0.2;
