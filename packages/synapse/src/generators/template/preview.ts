import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { describeError } from '@smartstack/agent';
import type { BlockIssue, CatalogView, Finding } from '../../catalog/types.js';
import { configOf } from '../blocks.js';
import type { Rendered } from '../types.js';
import { readTemplateBlock, type TemplateConfig } from './blocks.js';
import { chosen, TemplateFile } from './templateFile.js';
import { type TemplateValues, valuesOf } from './values.js';

const configured = (block: unknown) => configOf('template', readTemplateBlock(block)).templates;

/** The files that templates make of `view`, and what is left out of them. */
export async function preview(block: unknown, view: CatalogView): Promise<Rendered> {
  const values = valuesOf(view, new Map());
  const notes = values.issues.map(({ service, instance, reason }) =>
    ['warning', service, instance, reason].filter((part) => part !== undefined).join(': '),
  );
  const texts: string[] = [];
  for (const template of configured(block)) {
    const { text, problem } = await rendered(template, values);
    if (text !== undefined) texts.push(`# ${template.destinationFile}\n${text.replace(/\n?$/, '\n')}`);
    if (problem !== undefined) notes.push(`error: ${problem}`);
  }
  return { text: texts.join(''), notes };
}

/** Templates that cannot be rendered, and commands that there are not. Changes nothing, never fails. */
export async function examine(block: unknown, view: CatalogView): Promise<readonly BlockIssue[]> {
  const values = valuesOf(view, new Map());
  const names = new Set(values.services.map(({ name }) => name));
  const issues: BlockIssue[] = [];
  for (const [index, template] of configured(block).entries()) {
    const at = (...path: readonly PropertyKey[]): readonly PropertyKey[] => ['templates', index, ...path];
    const { problem } = await rendered(template, values);
    if (problem !== undefined)
      issues.push({ path: at('template_file'), message: problem, severity: 'error' });
    for (const [position, name] of (template.services ?? []).entries())
      if (!names.has(name))
        issues.push({
          path: at('services', position),
          message: `there is no service ${name}`,
          severity: 'warning',
        });
    const [file] = template.command ?? [];
    if (file !== undefined && !(await isProgram(file)))
      issues.push({
        path: at('post_template_command'),
        message: `there is no program ${file}`,
        severity: 'warning',
      });
  }
  return issues;
}

/** What goes wrong only where there are instances: the rest is told by `examine`. */
export async function lintTemplates(block: unknown, view: CatalogView): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const values = valuesOf(view, new Map());
  const empty = { ...values, services: values.services.map((service) => ({ ...service, instances: [] })) };
  for (const [index, template] of configured(block).entries()) {
    const { problem } = await rendered(template, values);
    if (problem === undefined || (await rendered(template, empty)).problem !== undefined) continue;
    findings.push({ path: ['templates', index, 'template_file'], message: problem, severity: 'error' });
  }
  return findings;
}

async function rendered(
  template: TemplateConfig,
  { services }: TemplateValues,
): Promise<{ readonly text?: string; readonly problem?: string }> {
  try {
    return { text: await new TemplateFile(template.templateFile).render(chosen(template, services)) };
  } catch (error) {
    return { problem: describeError(error) };
  }
}

async function isProgram(file: string): Promise<boolean> {
  const folders = file.includes('/') ? [''] : (process.env.PATH ?? '').split(delimiter);
  for (const folder of folders) {
    const found = await access(join(folder, file), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}
