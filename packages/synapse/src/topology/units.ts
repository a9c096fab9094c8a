/** The systemd service that a process is in, by its /proc/PID/cgroup; undefined for none, or one of a user's own. */
function serviceOf(cgroup: string): string | undefined {
  const lines = cgroup.split('\n');
  // Version 2 of cgroups, or systemd's own hierarchy of version 1.
  const line =
    lines.find((each) => each.startsWith('0::/')) ?? lines.find((each) => each.includes(':name=systemd:'));
  const path = line?.slice(line.indexOf('/')) ?? '';
  const [, unit] = /^\/system\.slice\/(?:[^/]+\.slice\/)*([^/]+)\.service(?:\/|$)/.exec(path) ?? [];
  return unit?.replaceAll(/\\x([0-9a-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

/** The only service that all of these processes are in, by their /proc/PID/cgroup; undefined where there is no such. */
export function unitOf(cgroups: readonly string[]): string | undefined {
  const services = new Set(cgroups.map(serviceOf));
  const [service] = services;
  return services.size === 1 ? service : undefined;
}
