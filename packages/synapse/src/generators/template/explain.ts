import type { Instance } from '@smartstack/registry';
import type { GeneratorPlan, GeneratorTrace, TraceStep, TraceSubject } from '../../catalog/types.js';
import { textChanges } from '../lineChanges.js';
import { listedServer, step } from '../traceSteps.js';
import type { TargetState } from './target.js';
import { chosen } from './templateFile.js';
import { keyOf, type ServiceValues, type TemplateValues } from './values.js';

/** What a pass would write, and which commands it would run. Pure. */
export function planOf(values: TemplateValues, targets: readonly TargetState[]): GeneratorPlan {
  const files: GeneratorPlan['files'][number][] = [];
  const commands: GeneratorPlan['commands'][number][] = [];
  const notes = values.issues.map(({ service, instance, reason }) =>
    [service, instance, reason].filter((part) => part !== undefined).join(': '),
  );
  for (const { config, disk, text, problem, waitingFor, commandDue, commandProblem, waitMs } of targets) {
    const path = config.destinationFile;
    const isWaiting = waitingFor.length > 0;
    if (isWaiting) notes.push(`${path} stays: nothing is known yet of ${waitingFor.join(', ')}`);
    else if (problem !== undefined) notes.push(`${path} stays: ${problem}`);
    const changes = isWaiting || text === undefined ? [] : textChanges(disk, text);
    if (changes.length > 0) files.push({ path, changes });
    if (config.command === undefined || (changes.length === 0 && !commandDue)) continue;
    const why =
      changes.length > 0 ? '' : commandProblem === undefined ? ', still due' : `, again: ${commandProblem}`;
    const when = waitMs > 0 ? `, in ${(waitMs / 1000).toFixed(1)} s (restart_interval)` : '';
    commands.push({
      ...{ kind: 'command', target: path },
      detail: `${config.command.join(' ')}${why}${when}`,
    });
  }
  return { commands, reload: [], files, notes };
}

/** A service as its templates have it: what is in a file is theirs to say. Pure. */
export function traceOf(
  { service, instances }: TraceSubject,
  values: TemplateValues,
  targets: readonly TargetState[],
): GeneratorTrace {
  const own = targets.filter(({ config }) => chosen(config, [service]).length > 0);
  const given = values.services.find(({ name }) => name === service);
  const isUnknown = values.unknown.includes(service);
  if (own.length === 0 || (given === undefined && !isUnknown))
    return { steps: [step('desired', true, 'no template is given it')], servers: [] };
  const steps = own.flatMap((target) => [
    step('desired', true, `${target.config.templateFile} is given ${given?.instances.length ?? 0} instances`),
    fileStep(target, target.presence.service(service)),
    ...commandStep(target),
  ]);
  const servers = instances.map((instance) =>
    listedServer(
      keyOf(instance),
      instance,
      own.flatMap((target) => serverSteps(service, instance, given, values, target)),
    ),
  );
  return { steps, servers };
}

function fileStep(
  { config, disk, text, problem, waitingFor, writtenAt }: TargetState,
  at?: number,
): TraceStep {
  const path = config.destinationFile;
  if (waitingFor.length > 0)
    return step(
      'loaded',
      false,
      `${path} stays: nothing is known yet of ${waitingFor.join(', ')}`,
      writtenAt,
    );
  if (problem !== undefined) return step('loaded', false, `${path} stays: ${problem}`, writtenAt);
  if (disk === undefined) return step('loaded', false, `${path} is not there`);
  return disk === text
    ? step('loaded', true, `${path} is as the template makes it`, at ?? writtenAt)
    : step('loaded', false, `${path} is not as the template would make it now`, writtenAt);
}

function commandStep({ config, commandDue, commandProblem, ranAt }: TargetState): readonly TraceStep[] {
  if (config.command === undefined) return [];
  if (commandProblem !== undefined)
    return [step('running', false, `post_template_command failed: ${commandProblem}`)];
  if (commandDue) return [step('running', false, 'post_template_command is still to be run')];
  const ran = ranAt === undefined ? 'has nothing to do' : 'was run';
  return [step('running', true, `post_template_command ${ran}`, ranAt)];
}

function serverSteps(
  service: string,
  instance: Instance,
  given: ServiceValues | undefined,
  { issues }: TemplateValues,
  target: TargetState,
): readonly TraceStep[] {
  const { config, disk, presence } = target;
  const key = keyOf(instance);
  const since = presence.server(service, key);
  if (given?.instances.some((one) => keyOf(one) === key) !== true) {
    const label = `${instance.host}:${instance.port}`;
    const issue = issues.find((one) => one.service === service && one.instance === label)?.reason;
    const held = instance.held ? 'its source lost it, and nobody checks what is read in a file' : undefined;
    const why = issue ?? held ?? 'not among the instances of the service';
    return [step('desired', false, `not given to ${config.templateFile}: ${why}`)];
  }
  const desired = step('desired', true, `given to ${config.templateFile}`, since);
  const file = fileStep(target, since);
  if (!file.ok) return [desired, file];
  // The template may name what it likes: not to find an address is no fault.
  const isNamed = disk?.includes(instance.host) === true;
  const named = isNamed
    ? `${instance.host} stands in ${config.destinationFile}`
    : `${config.destinationFile} does not name ${instance.host}: the template decides`;
  return [desired, { ...file, detail: named }, ...commandStep(target)];
}
