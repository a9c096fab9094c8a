import type { Clock } from '../clock.js';
import { describeError } from '../errors.js';
import { within } from '../run.js';
import { type ModuleFile, resolveModule } from './resolve.js';

/** For how long one module may be loaded, in milliseconds. */
const usualLimitMs = 3_000;

/** A module that was loaded. */
export interface LoadedModule {
  readonly url: string;
  /** What it exports. */
  readonly exported: Readonly<Record<string, unknown>>;
}

/** Loads modules that a configuration names. */
export interface Plugins {
  /** Rejects with why the module cannot be used. */
  load(name: string, from: string): Promise<LoadedModule>;
  /** Waits for what a module that was loaded is to make, no longer than for its loading. Rejects when it takes longer. */
  limited<T>(module: LoadedModule, making: Promise<T>): Promise<T>;
}

/** For those who read a configuration and run nothing. */
export const noPlugins: Plugins = {
  load: () => Promise.reject(new Error('modules are not loaded here')),
  limited: (_, making) => making,
};

/** What a loader needs. */
export interface PluginLoaderDeps {
  readonly clock: Clock;
  readonly importModule: (url: string) => Promise<unknown>;
  /** For how long one module may be loaded, in milliseconds; 3 s by default. */
  readonly limitMs?: number;
}

/** Loads each version of each module once. Memory of older versions is not given back: no engine can. */
export class PluginLoader implements Plugins {
  readonly #deps: Required<PluginLoaderDeps>;
  /** The newest version of each file. */
  readonly #loaded = new Map<string, LoadedModule>();
  /** Versions that hung: they are not waited for at each reading. */
  readonly #hung = new Map<string, string>();
  readonly #loading = new Map<string, Promise<LoadedModule>>();

  constructor(deps: PluginLoaderDeps) {
    this.#deps = { limitMs: usualLimitMs, ...deps };
  }

  async load(name: string, from: string): Promise<LoadedModule> {
    const found = resolveModule(name, from);
    const known = this.#loaded.get(found.file);
    if (known?.url === found.url) return known;
    const loading = this.#loading.get(found.url) ?? this.#load(found);
    this.#loading.set(found.url, loading);
    try {
      return await loading;
    } finally {
      this.#loading.delete(found.url);
    }
  }

  async #load({ file, url }: ModuleFile): Promise<LoadedModule> {
    const { clock, limitMs } = this.#deps;
    if (this.#hung.get(file) === url)
      throw new Error(`${file}: it was not loaded within ${limitMs / 1000} s`);
    // Threads are loaded by those who have modules.
    const { tryModule } = await import('./trial.js');
    const failure = await tryModule(url, limitMs, clock);
    if (failure?.hung) this.#hung.set(file, url);
    if (failure !== undefined) throw new Error(`${file}: ${failure.problem}`);
    const exported = await this.#import(file, url);
    const loaded = { url, exported: exported as LoadedModule['exported'] };
    this.#loaded.set(file, loaded);
    return loaded;
  }

  async limited<T>(module: LoadedModule, making: Promise<T>): Promise<T> {
    const made = await this.#within(making);
    if (made !== undefined) return made.value;
    for (const [file, loaded] of this.#loaded) {
      if (loaded !== module) continue;
      this.#loaded.delete(file);
      this.#hung.set(file, module.url);
    }
    throw new Error(`what it exports makes nothing within ${this.#deps.limitMs / 1000} s`);
  }

  async #import(file: string, url: string): Promise<unknown> {
    const { importModule, limitMs } = this.#deps;
    try {
      const imported = await this.#within(importModule(url));
      if (imported !== undefined) return imported.value;
    } catch (error) {
      throw new Error(`${file}: ${describeError(error)}`, { cause: error });
    }
    throw new Error(`${file}: it is not loaded within ${limitMs / 1000} s`);
  }

  /** Undefined when it takes too long. */
  #within<T>(work: Promise<T>): Promise<{ readonly value: T } | undefined> {
    const { clock, limitMs } = this.#deps;
    return within(
      work.then((value) => ({ value })),
      limitMs,
      clock,
    );
  }
}

/** What a module defines: its default export, or what that makes of the tools that it is handed. */
export async function definedBy(
  exported: LoadedModule['exported'],
  tools: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  return typeof exported.default === 'function'
    ? await (exported.default as (given: typeof tools) => unknown)(tools)
    : exported.default;
}

/** Finds the kind that a module defines, within the time that a module has. */
export type FindKind<Kind> = (module: LoadedModule, plugins: Plugins) => Promise<Kind>;

/** Finds the kind that a module defines, once for all that use it. */
export function kindsOf<Kind>(find: (exported: LoadedModule['exported']) => Promise<Kind>): FindKind<Kind> {
  const known = new WeakMap<LoadedModule, Kind>();
  return async (module, plugins) => {
    const kind = known.get(module) ?? (await plugins.limited(module, find(module.exported)));
    known.set(module, kind);
    return kind;
  };
}
