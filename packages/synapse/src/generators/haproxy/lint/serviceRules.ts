import type { Finding } from '../../../catalog/types.js';
import { readServiceBlock } from '../block/blocks.js';
import { backendContext, effectiveDefaults } from '../desired/backendContext.js';
import { sortLines, whoTakes } from '../desired/keywords.js';
import { parseOptions } from '../desired/options.js';
import { expandTemplate } from '../desired/template.js';
import { capabilitiesOf } from '../plan/capabilities.js';
import { runtimeServer } from '../plan/runtimeServer.js';
import type { LintInput } from './input.js';
import { retiredLine } from './rewrite.js';

const places = ['frontend', 'backend', 'listen'] as const;
type Raw = Readonly<Record<string, unknown>>;

/** A value as the list of lines that it is, each with its place. */
export function linesAt(
  raw: Raw,
  key: string,
): readonly { readonly path: readonly PropertyKey[]; readonly line: string }[] {
  const value = raw[key];
  const listed: readonly unknown[] = Array.isArray(value) ? (value as readonly unknown[]) : [value];
  return listed.flatMap((line, index) =>
    typeof line === 'string' ? [{ path: Array.isArray(value) ? [key, index] : [key], line }] : [],
  );
}

/** A line alone where Ruby wants a list. */
export function scalarFindings(raw: Raw, keys: readonly string[]): readonly Finding[] {
  return keys.flatMap((key) =>
    typeof raw[key] === 'string'
      ? [
          {
            path: [key],
            message:
              "A line alone ends Ruby's synapse with a TypeError: write a list, `[…]`, for as long as you may go back",
            severity: 'warning' as const,
          },
        ]
      : [],
  );
}

/** A line that the HAProxy of today or of tomorrow refuses. */
export function retiredFinding(path: readonly PropertyKey[], line: string): readonly Finding[] {
  const retired = retiredLine(line);
  return retired === undefined
    ? []
    : [
        {
          path,
          message: `HAProxy ${retired.since} and later refuse \`${line.trim()}\`: write ${retired.advice}`,
          severity: 'warning',
        },
      ];
}

/** What the block of one service does, and does not seem to do. `version`: of the HAProxy that is installed. */
export function serviceFindings(
  service: string,
  block: unknown,
  input: LintInput,
  version: string | undefined,
): readonly Finding[] {
  if (typeof block !== 'object' || block === null || Array.isArray(block)) return [];
  const raw = block as Raw;
  const findings = [
    ...scalarFindings(raw, ['frontend', 'backend', 'listen', 'shared_frontend']),
    ...portFindings(raw, input),
    ...backendNameFindings(service, raw),
    ...places.flatMap((place) => linesAt(raw, place).flatMap((one) => lineFindings(place, one, input))),
    ...linesAt(raw, 'shared_frontend').flatMap((one) => lineFindings('frontend', one, input)),
    ...reloadFindings(raw, input, version),
  ];
  return findings.map((finding) => ({ ...finding, service }));
}

function portFindings(raw: Raw, { config }: LintInput): readonly Finding[] {
  if (raw.disabled === true) return [];
  if (!Object.hasOwn(raw, 'port') && raw.shared_frontend === undefined)
    return [
      {
        path: [],
        message:
          'Without `port` the service has no frontend: nothing listens for it. Give it a port, or `port: null` for a bind_address that says it all',
        severity: 'warning',
      },
    ];
  const address = typeof raw.bind_address === 'string' ? raw.bind_address : config.bindAddress;
  if (raw.port === null && !/[:/@]/.test(address))
    return [
      {
        path: ['port'],
        message: `With \`port: null\` the frontend binds the bind_address alone, and ${address} has no port: give it one, or a path`,
        severity: 'warning',
      },
    ];
  return [];
}

function backendNameFindings(service: string, raw: Raw): readonly Finding[] {
  const name = raw.backend_name;
  return typeof name === 'string' && name !== service
    ? [
        {
          path: ['backend_name'],
          message:
            "Ruby's synapse disables every server of a backend whose name is not the service's, whenever another service changes; ours does not. Before going back, remove it",
          severity: 'warning',
        },
      ]
    : [];
}

function lineFindings(
  place: (typeof places)[number],
  { path, line }: { readonly path: readonly PropertyKey[]; readonly line: string },
  { config }: LintInput,
): readonly Finding[] {
  const retired = retiredFinding(path, line);
  if (retired.length > 0) return retired;
  const { ruby, modern } = whoTakes(place, line);
  const found = (message: string): readonly Finding[] => [{ path, message, severity: 'warning' }];
  if (ruby) return [];
  if (!modern) return found(`\`${line.trim()}\` is no keyword of such a section: it is dropped; remove it`);
  return config.sectionKeywords === 'modern'
    ? found(
        `Ruby's synapse drops \`${line.trim()}\`, ours writes it: what HAProxy does changes with the migration`,
      )
    : found(
        `\`${line.trim()}\` is dropped, as by Ruby's synapse: remove it, or set \`section_keywords: modern\` to have it work`,
      );
}

/** What makes each new instance a reload. */
function reloadFindings(raw: Raw, { config }: LintInput, version: string | undefined): readonly Finding[] {
  const { config: service } = readServiceBlock(raw);
  if (service === undefined || service.disabled || version === undefined) return [];
  const capabilities = capabilitiesOf(version);
  const reload = (path: readonly PropertyKey[], why: string): Finding => ({
    path,
    message: `Each instance that comes makes HAProxy ${version} reload: ${why}`,
    severity: 'warning',
  });
  if (!capabilities.dynamicServers) return [reload([], 'it takes no servers at run time; 2.6 and later do')];
  const { backend } = sortLines(service, config.sectionKeywords);
  const context = backendContext(effectiveDefaults(config.base), backend);
  if (context.staticBalance !== undefined)
    return [
      reload(['backend'], `${context.staticBalance}; add \`hash-type consistent\`, or balance otherwise`),
    ];
  const words = expandTemplate(service.serverOptions, { host: 'h', port: 1, name: 'n' });
  const server = {
    ...{ name: 'n', address: '127.0.0.1', port: 1, id: 1, disabled: false },
    options: words.split(/\s+/).filter((word) => word !== ''),
    ...(context.cookie && { cookie: 'n' }),
  };
  const runtime = runtimeServer(server, context, capabilities);
  if (!('needsFile' in runtime)) return [];
  if (runtime.needsFile !== 'cookie')
    return [reload(['server_options'], `${runtime.needsFile} of its line; leave it out, if it can be`)];
  const own = parseOptions(server.options).some(({ keyword }) => keyword === 'cookie');
  return [
    reload(
      [own ? 'server_options' : 'backend'],
      '`cookie` needs 3.0 or later; leave it out, if stickiness is not needed',
    ),
  ];
}
