import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { type Clock, describeError } from '@smartstack/agent';
import type { CatalogView, Finding } from '../../catalog/types.js';
import { configOf } from '../blocks.js';
import { type NginxConfig, readNginxBlock, readServiceBlock } from './blocks.js';
import { desiredSections } from './desired.js';
import { blame, reasonIn } from './file/blame.js';
import { Checker } from './file/checker.js';
import { renderFile } from './file/render.js';
import type { Section } from './sections.js';

/** So many lines that nginx rejects are found at most: it names one at a time. */
const maxFindings = 25;

/** What blocks do that they do not seem to do, and what the installed nginx says of them. Changes nothing. */
export async function lintNginx(
  {
    block,
    services,
    view,
  }: {
    readonly block: unknown;
    readonly services: ReadonlyMap<string, unknown>;
    readonly view: CatalogView;
  },
  clock: Clock,
): Promise<readonly Finding[]> {
  const config = configOf('nginx', readNginxBlock(block));
  return [
    ...(await rejectedLines(config, services, view, clock)),
    ...topFindings(config),
    ...[...services].flatMap(([service, own]) => serviceFindings(service, own)),
  ];
}

function topFindings(config: NginxConfig): readonly Finding[] {
  const { contexts, doReloads, startCommand, reloadCommand, checkCommand, configFilePath } = config;
  const warn = (key: string, message: string): Finding => ({ path: [key], message, severity: 'warning' });
  const isForeground = contexts.main.some((line) => /^daemon\s+off$/.test(line.trim()));
  return [
    ...(isForeground && doReloads && startCommand === undefined && reloadCommand === undefined
      ? [
          warn(
            'contexts',
            "With 'daemon off' synapse cannot start nginx: add a start_command, or let systemd",
          ),
        ]
      : []),
    ...(checkCommand !== undefined && !checkCommand.includes(configFilePath)
      ? [
          warn(
            'check_command',
            `It does not name ${configFilePath}: each new file stands there while it is checked, and is taken back if it is bad. Name the file, and a copy is checked instead`,
          ),
        ]
      : []),
  ];
}

function serviceFindings(service: string, own: unknown): readonly Finding[] {
  const { config } = readServiceBlock(own ?? {});
  if (config === undefined || config.disabled) return [];
  const warn = (key: string, message: string): Finding => ({
    ...{ service, path: [key], message },
    severity: 'warning',
  });
  return [
    ...(config.upstream_order === 'shuffle'
      ? [warn('upstream_order', 'Each shuffle would be a reload: the order is asc')]
      : []),
    ...(isSaid(own) && (config.port === undefined || config.port === null)
      ? [warn('port', 'Without a port only an upstream is written: some server has to name it')]
      : []),
  ];
}

function isSaid(block: unknown): boolean {
  return typeof block === 'object' && block !== null && Object.keys(block).length > 0;
}

/** Lines that `nginx -t` rejects, each with its place. */
async function rejectedLines(
  config: NginxConfig,
  services: ReadonlyMap<string, unknown>,
  view: CatalogView,
  clock: Clock,
): Promise<readonly Finding[]> {
  const folder = await mkdtemp(join(tmpdir(), 'synapse-lint-'));
  try {
    const file = join(folder, 'nginx.conf');
    const { nginxBinary } = config;
    const checker = new Checker({ nginxBinary, configFilePath: file, checkCommand: undefined }, clock);
    const findings: Finding[] = [];
    let { sections } = desiredSections(config, view, new Map());
    while (findings.length < maxFindings) {
      const rendered = renderFile({ contexts: withWholePaths(config) }, sections);
      const { valid, output, unchecked } = await checker.check(rendered.text);
      if (unchecked !== undefined) {
        const message = `${unchecked}: no line was tried`;
        return [{ path: ['nginx_binary'], message, severity: 'warning' }];
      }
      if (valid) break;
      const found = blame(output, checker.paths, rendered, sections);
      const reason = reasonIn(output).replace(/ in \S+:\d+$/, '');
      if (found === undefined) {
        const line = lineOf(output, rendered.text);
        findings.push({
          path: placeIn(config.contexts, line),
          message: `nginx: ${reason}`,
          severity: 'error',
        });
        break;
      }
      if (found.kind === 'no-stream') {
        findings.push({ path: ['contexts', 'main'], message: found.reason, severity: 'error' });
        sections = sections.filter(({ context }) => context !== 'stream');
      } else {
        const { service } = found;
        const path = placeIn(linesOf(services.get(service)), lineOf(output, rendered.text));
        findings.push({ service, path, message: `nginx: ${reason}`, severity: 'error' });
        sections = withoutService(sections, service);
      }
    }
    return findings;
  } catch (error) {
    return [{ path: [], message: `No line was tried: ${describeError(error)}`, severity: 'warning' }];
  } finally {
    await rm(folder, { recursive: true });
  }
}

function withoutService(sections: readonly Section[], service: string): readonly Section[] {
  return sections.filter((section) => section.service !== service);
}

/** nginx looks for what a file includes beside that file, which is elsewhere here. */
function withWholePaths({ contexts, configFilePath }: NginxConfig): NginxConfig['contexts'] {
  const whole = (lines: readonly string[]): readonly string[] =>
    lines.map((line) =>
      line.replace(
        /^(include\s+)([^/"'\s].*)$/,
        (_, word: string, path: string) => `${word}${resolve(dirname(configFilePath), path)}`,
      ),
    );
  const { main, events, ...others } = contexts;
  return {
    ...Object.fromEntries(Object.entries(others).map(([name, lines]) => [name, whole(lines)])),
    ...{ main: whole(main), events: whole(events) },
  };
}

/** The line of the file that nginx names. */
function lineOf(output: string, text: string): string {
  const number = Number(/:(\d+)$/.exec(reasonIn(output))?.[1] ?? 0);
  return (text.split('\n')[number - 1] ?? '').trim().replace(/;$/, '');
}

function linesOf(block: unknown): Readonly<Record<string, readonly string[]>> {
  const { config } = readServiceBlock(block ?? {});
  return config === undefined ? {} : { server: config.server, upstream: config.upstream };
}

/** Where a line stands in lists of lines; nowhere in particular if it is none of them. */
function placeIn(lists: Readonly<Record<string, readonly string[]>>, line: string): readonly PropertyKey[] {
  for (const [key, lines] of Object.entries(lists)) {
    const at = lines.indexOf(line);
    if (at >= 0) return 'main' in lists ? ['contexts', key, at] : [key, at];
  }
  return [];
}
